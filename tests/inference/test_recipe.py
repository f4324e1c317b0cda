import copy
import functools
import pickle

import pytest
import torch
from torch import nn

from inference import Network, build, factory, recipe_of
from inference.recipe import MOVED, current_path, with_current_paths
from losses import FixedWeighting, GradNorm, Weighting


class Layer(Network):
    def __init__(self, width: int, *, bias: bool = True, names: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias)


class Twice(Layer):
    """Passes on other arguments than it was given."""

    def __init__(self, width: int) -> None:
        super().__init__(2 * width, bias=False)


class Inherits(Layer):
    """Has no ``__init__`` of its own."""


def test_a_recipe_holds_every_argument_also_the_defaults() -> None:
    assert Layer(3, names=("a", "b")).recipe() == {
        "class_path": f"{__name__}.Layer",
        "init_args": {"width": 3, "bias": True, "names": ("a", "b")},
    }


def test_a_recipe_is_of_the_class_that_was_built_and_not_of_its_base() -> None:
    assert Twice(3).recipe() == {"class_path": f"{__name__}.Twice", "init_args": {"width": 3}}
    assert Inherits(3).recipe()["class_path"] == f"{__name__}.Inherits"
    assert Inherits(width=3).recipe()["init_args"]["width"] == 3


@pytest.mark.parametrize("network", [Layer(3, bias=False), Twice(2), Inherits(4)], ids=lambda n: type(n).__name__)
def test_what_a_recipe_builds_is_the_same_network(network: Layer) -> None:
    again = build(network.recipe(), Network)
    assert type(again) is type(network)
    again.load_state_dict(network.state_dict())
    assert again.recipe() == network.recipe()


def test_copies_keep_their_recipe_and_cannot_change_it() -> None:
    network = Layer(3, names=("a",))
    assert copy.deepcopy(network).recipe() == pickle.loads(pickle.dumps(network)).recipe() == network.recipe()
    network.recipe()["init_args"]["width"] = 99
    assert network.recipe()["init_args"]["width"] == 3


def test_wrong_arguments_are_refused_as_python_does() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'width'"):
        Layer()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        Layer(3, size=4)  # type: ignore[call-arg]


def test_a_recipe_of_a_class_with_options() -> None:
    partial = functools.partial(GradNorm, alpha=0.5)
    recipe = recipe_of(partial, Weighting)
    assert recipe["init_args"] == {"alpha": 0.5}
    weighting = factory(recipe, Weighting)(("a", "b"))
    assert isinstance(weighting, GradNorm)
    assert weighting.alpha == 0.5
    assert recipe_of(FixedWeighting, Weighting)["init_args"] == {}


@pytest.mark.parametrize(
    "value", [nn.Linear, functools.partial(nn.Linear, 3), FixedWeighting(["a"]), lambda tasks: None]
)
def test_what_is_not_such_a_class_has_no_recipe(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected a subclass of Weighting, or a functools\.partial of one; got"):
        recipe_of(value, Weighting)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("os.system", r"^os\.system is not a subclass of Network, as it must be$"),
        ("torch.nn.Linear", r"^torch\.nn\.Linear is not a subclass of Network, as it must be$"),
        ("nowhere.Layer", r"^nowhere\.Layer cannot be imported \(No module named 'nowhere'\); start the command where"),
        ("torch.nn.Nothing", r"^torch\.nn\.Nothing cannot be imported"),
    ],
)
def test_a_recipe_builds_nothing_else(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build({"class_path": path}, Network)


@pytest.mark.parametrize(
    "path",
    [
        "losses.gradnorm.GradNorm",
        "losses.uncertainty.UncertaintyWeighting",
        "losses.weighting.FixedWeighting",
        "losses.weighting.GeometricMean",
        "losses.weighting.DynamicWeightAverage",
        "losses.aggregated.AggregatedGradients",
    ],
)
def test_classes_that_have_moved_are_found(path: str) -> None:
    assert issubclass(factory({"class_path": path}, Weighting).func, Weighting)  # type: ignore[attr-defined]
    assert path.rpartition(".")[0] in MOVED


def test_paths_are_brought_up_to_date_wherever_they_are() -> None:
    old = {"a": [{"class_path": "losses.gradnorm.GradNorm", "init_args": {"alpha": 1}}], "b": 3}
    new = {"a": [{"class_path": "losses.GradNorm", "init_args": {"alpha": 1}}], "b": 3}
    assert with_current_paths(old) == new
    assert current_path("my_tasks.Task") == "my_tasks.Task"


def test_the_state_is_not_part_of_a_recipe() -> None:
    network = Layer(3)
    assert not any(isinstance(value, torch.Tensor) for value in network.recipe()["init_args"].values())
