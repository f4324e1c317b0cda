"""Read YAML files, and refuse those that would not mean what they seem to, or do not end."""

from pathlib import Path
from typing import Any

import yaml

MOST = 100_000  # values of a file, those that aliases repeat counted again


def read_yaml(file: Path) -> Any:
    """Read a YAML file.

    Args:
        file: of plain values, lists and mappings.

    Raises:
        ValueError: it cannot be read, is not YAML, has a key twice, or its aliases repeat more than anybody writes.
        OSError: there is no such file.
    """
    try:
        text = file.read_text(encoding="utf-8")
        _require_plain(text)
        return yaml.safe_load(text)
    except UnicodeDecodeError:
        raise ValueError(f"{file}: no text in UTF-8, and so no YAML; take another file") from None
    except RecursionError:
        raise ValueError(f"{file}: nested too deeply, or an alias (*NAME) contains itself; write it out") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not YAML that can be read ({_reason(error)}); correct it") from None


def _reason(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _require_plain(text: str) -> None:
    """Require YAML whose keys differ, and whose aliases do not repeat too much."""
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if root is not None and _count(root, {}) > MOST:
        raise yaml.YAMLError(f"its aliases (*NAME) repeat more than {MOST:,} values; write them out")


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node; ``known`` has the counts of those that were met before."""
    if id(node) not in known:
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            _refuse_repeated([key for key, _ in children])
            children = [each for pair in children for each in pair]
        known[id(node)] = 1 + sum(_count(child, known) for child in children)
    return known[id(node)]


def _refuse_repeated(keys: list[yaml.Node]) -> None:
    seen: set[str] = set()
    for key in keys:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.YAMLError(
                    f"the key {key.value} is there twice, in line {key.start_mark.line + 1}; remove one"
                )
            seen.add(key.value)
