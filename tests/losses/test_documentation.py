"""What ``help`` shows: every option, every argument, and examples that run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest
import torch

import losses
from losses.convention import Loss
from tests.losses.catalogue import SNAKE_CASE

MODULES = [name for _, name, _ in pkgutil.walk_packages(losses.__path__, "losses.") if name != "losses.__main__"]
WEIGHTINGS = [cls for cls in vars(losses).values() if isinstance(cls, type) and issubclass(cls, losses.Weighting)]
CLASSES = [*(getattr(losses, name) for name in SNAKE_CASE), *WEIGHTINGS]


def documented(text: str, start: str = "Args:") -> list[str]:
    """The arguments that a docstring describes, in its order."""
    lines = text[text.index(start) + len(start) :].split("\n\n")[0]
    return re.findall(r"^    (\w+): ", lines, re.MULTILINE)


def parameters(callable_: object) -> list[str]:
    assert callable(callable_)
    return [name for name in inspect.signature(callable_).parameters if name != "self"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    if name.endswith("aggregated"):
        pytest.importorskip("torchjd.aggregation")
    result = doctest.testmod(importlib.import_module(name), extraglobs={"torch": torch})
    assert result.failed == 0


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_documents_its_options_and_its_call(cls: type) -> None:
    text = inspect.getdoc(cls)
    assert text is not None and cls.__doc__
    assert documented(text) == parameters(cls.__init__)
    call = cls.__call__ if cls is losses.GANLoss else cls.forward  # type: ignore[attr-defined]
    of_call = inspect.getdoc(call)
    assert of_call is not None
    assert documented(of_call) == parameters(call)
    assert "Returns:" in of_call and "Raises:" in of_call


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not losses.Weighting], ids=lambda cls: cls.__name__)
def test_every_class_has_an_example(cls: type) -> None:
    assert any(test.examples for test in doctest.DocTestFinder(recurse=False).find(cls))


@pytest.mark.parametrize(("cls", "function"), SNAKE_CASE.items())
def test_every_function_refers_to_its_class_and_has_its_options(cls: str, function: str) -> None:
    form, kind = getattr(losses, function), getattr(losses, cls)
    assert form.__doc__.startswith(f"Functional form of :class:`{cls}`")
    own = {
        "CurriculumLoss",
        "GANLoss",
        "LeCamPenalty",
        "PerceptualLoss",
        "SumLoss",
    }  # whose functions take what the classes have computed
    if cls not in own:
        assert set(parameters(form)) == set(parameters(kind.__init__)) | set(parameters(kind.forward))


def test_what_is_public_is_documented() -> None:
    for name in losses.__all__:
        value = getattr(losses, name)
        if getattr(value, "__module__", "").startswith("losses") and not (
            isinstance(value, type) and issubclass(value, Loss)
        ):
            assert inspect.getdoc(value), name
