"""The variants of an ablation: one configuration, each time with a few options changed."""

import copy
import re
from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]


def with_changes(config: Options, changes: Options) -> dict[str, Any]:
    """Return a configuration in which some options are changed; neither argument is.

    Changes reach into nested options. Where they name another ``class_path``, the options of the class before go with
    it; null replaces whatever there was.

    Args:
        config: of a fit.
        changes: options of the same form, only those that change.
    """
    changed = copy.deepcopy(dict(config))
    for name, value in changes.items():
        before = changed.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and not _other_class(before, value):
            changed[name] = with_changes(before, value)
        else:
            changed[name] = copy.deepcopy(value)
    return changed


def check_names(variants: Options) -> None:
    """Require variants whose names can be those of folders.

    Raises:
        ValueError: there is none, or a name that cannot.
    """
    if not variants:
        raise ValueError("variants must be at least one, such as {L1: {model: {weights: {gan: 0}}}}")
    for name, changes in variants.items():
        if not re.fullmatch(r"\w[\w+.-]*", name):
            raise ValueError(
                f"variants: a name must begin with a letter or digit, and be of these and _ + . -; got {name!r}"
            )
        if changes is not None and not isinstance(changes, Mapping):
            raise ValueError(f"variants: {name} must be options that change; got {changes!r}")


def _other_class(before: Options, after: Options) -> bool:
    return "class_path" in after and after["class_path"] != before.get("class_path")
