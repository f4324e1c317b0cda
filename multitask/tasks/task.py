"""The base of the tasks: a head on the shared features, a loss, metrics, and a drawing."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from torchmetrics import MetricCollection

from inference import Network, build, from_recipes
from inference.picture_table import Better as Better
from inference.pictures import palette
from inference.pictures.files import whole_or_not_at_all
from inference.sizes import Size
from losses.convention import Loss
from losses.weighting import Likelihood
from multitask.guide import Guide, interpolate
from multitask.tasks.writing import Place, Written

Totals = dict[str, Tensor]  # of the training targets: numbers that add up over scenes


class Task(Network):
    """Base of the tasks. A task of your own is one class: name it in the configuration, and it is trained.

    A task holds no weights. The model asks it for a head when it is built, and for the rest as it trains.

    Attributes:
        likelihood: what its loss is like, for uncertainty weighting: ``gaussian`` like squared errors, ``laplace`` like
            absolute errors, ``categorical`` like cross-entropies.
        better: the metrics, and whether a higher or a lower value is better; the first stands for the task in tables.
        measures_pictures: whether the metrics of one picture by itself say how good its prediction is.

    Args:
        target: the key of the batch that holds what this task shall predict.
        width: channels of the head's hidden layer, at least 1.
    """

    likelihood: Likelihood
    better: ClassVar[Mapping[str, Better]]
    measures_pictures: ClassVar[bool] = True

    def __init__(self, target: str, width: int) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1; got {width}")
        if not re.fullmatch(r"\w[\w.-]*", target):  # files and folders of predictions are called so
            raise ValueError(f"target must begin with a letter or digit, and be of these and _ . -; got {target!r}")
        self.target = target
        self.width = width

    @abstractmethod
    def build_head(self, channels: int) -> nn.Module:
        """Build the network from the shared features to the prediction.

        It is called with the features, N x channels x h x w, and the height and width of the padded pictures, which
        are h and w times the stride of the encoder; see :class:`DenseHead`.
        """

    @property
    def parts(self) -> Mapping[str, Likelihood]:
        """The parts of the loss that are weighted each by itself, and what each is like; none in one loss."""
        return {}

    @abstractmethod
    def loss(self, prediction: Any, target: Any) -> Tensor | Mapping[str, Tensor]:
        """Compute the loss, a scalar, over what has a label in ``target``; one for each of :attr:`parts`, if any.

        The target has passed :meth:`check`.
        """

    def check(self, target: Any, size: tuple[int, int]) -> None:
        """Require that a target fits the task; unless a task says otherwise, every target does.

        Batches are checked where they are loaded, see :class:`multitask.checks.TargetChecks`; the loss takes them as
        they are, as on a GPU it would wait to look at them.

        Args:
            target: of a batch.
            size: height and width of its pictures.

        Raises:
            ValueError: says what is wrong with it.
        """

    def at_size(self, prediction: Any, inside: Size, size: Size) -> Any:
        """Return the prediction for pictures, of that for the pictures after they were resized and padded.

        Unless a task says otherwise, what is N x C x H x W is cropped, and resized bilinearly; anything else says
        something of the whole picture, and stays.

        Args:
            prediction: of the head, for the padded pictures.
            inside: height and width of what is not padding, at the top left.
            size: height and width of the pictures.
        """
        if not (isinstance(prediction, Tensor) and prediction.dim() == 4):
            return prediction
        cropped = prediction[..., : inside[0], : inside[1]]
        return cropped if inside == size else interpolate(cropped, size)

    @abstractmethod
    def decode(self, prediction: Any) -> Any:
        """Return what a prediction says, in the form of the target."""

    @abstractmethod
    def build_metrics(self) -> MetricCollection:
        """Build the metrics, without state of other runs."""

    def update(self, metrics: MetricCollection, values: Any, target: Any) -> None:
        """Update the metrics with a batch of decoded predictions and their target."""
        metrics.update(values, target)

    def measurable(self, target: Any) -> Sequence[bool]:
        """Return of which pictures of a batch the target knows something; of all, unless a task says otherwise."""
        return [True] * len(target)

    @abstractmethod
    def draw(self, values: Any, images: Tensor) -> Tensor:
        """Draw targets of ``images``, or decoded predictions, as pictures of their shape, N x 3 x H x W in [0, 1]."""

    # --- the start of a training

    def count(self, target: Any) -> Totals:
        """Count what is known in the targets of a scene; nothing, unless a task says otherwise.

        Args:
            target: of a batch of one scene, without augmentation.

        Returns:
            Numbers by names of the task's own, which are added up over the scenes.
        """
        return {}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Start a training from what the training targets hold.

        It is called once, before the first step of a model that comes out of no checkpoint.

        Args:
            totals: what :meth:`count` returned, added up; empty if no scene had a target.
            head: of this task.

        Returns:
            What was found, in a few words; none, unless a task says otherwise.
        """
        return ""

    def legend(self) -> dict[str, Tensor]:
        """Return what colors in :meth:`draw` mean, by name; nothing, unless a task says otherwise."""
        return {}

    # --- files

    def files(self, place: Place, name: str) -> list[Path]:
        """Return the files that :meth:`write` writes for a picture; KIND/NAME.npy, unless a task says otherwise."""
        return [place.file(name, ".npy")]

    def write(self, values: Any, place: Place, name: str) -> Any:
        """Write the decoded values for one picture; the array of a tensor, unless a task says otherwise.

        Args:
            values: for one picture, without the dimension of the batch, on the CPU.
            place: where.
            name: the picture's, without ending.

        Returns:
            What :meth:`write_shared` has to know of them.

        Raises:
            ValueError: they are no tensor.
        """
        if not isinstance(values, Tensor):
            raise ValueError(f"{type(self).__name__} predicts {type(values).__name__}: give it a write() of its own")
        (file,) = self.files(place, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_not_at_all(file) as unfinished:
            np.save(unfinished, values.numpy())

    def shared_files(self, place: Place) -> list[Path]:
        """Return the files that :meth:`write_shared` writes; none, unless a task says otherwise."""
        return []

    def write_shared(self, place: Place, pictures: Sequence[Written]) -> None:
        """Write what is of all the pictures of a folder together, after the last of them.

        Args:
            place: where.
            pictures: those that were written, one or more, sorted by their files.
        """

    def baseline(self, targets: Iterable[Any]) -> Any:
        """Return what to predict without looking: one value for all places of all pictures, that expands to a target.

        Args:
            targets: of batches of the training scenes.

        Returns:
            A tensor that expands to the shape of a target; or the entry for one picture, where targets are lists. None,
            unless a task says otherwise: there is no such value.
        """
        return None


def build_task(recipe: Mapping[str, Any]) -> Task:
    """Build what :meth:`Task.recipe` described."""
    return build({**recipe, "init_args": from_recipes(recipe.get("init_args", {}), Loss)}, Task)


class DenseHead(nn.Sequential):
    """A head for a prediction at every pixel: a 3 x 3 convolution with batch norm, a 1 x 1 one, and interpolation.

    The interpolation is bilinear, or along the edges of the pictures if there is a guide.

    Args:
        channels: of the shared features.
        width: of the hidden layer.
        outputs: numbers that are predicted for each pixel.
    """

    def __init__(self, channels: int, width: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 1),
        )

    def forward(  # type: ignore[override]  # two more
        self, features: Tensor, size: tuple[int, int], guide: Guide | None = None
    ) -> Tensor:
        """Predict N x outputs x H x W from features N x channels x h x w, for pictures of ``size``, H and W."""
        prediction: Tensor = super().forward(features)
        if prediction.shape[2:] == size:
            return prediction
        return interpolate(prediction, size) if guide is None else guide.upsample(prediction)


def class_legend(names: Sequence[str]) -> dict[str, Tensor]:
    """Return the colors of classes by their names."""
    return dict(zip(names, palette(len(names)), strict=True))


def class_names(classes: int, names: Sequence[str] | None) -> list[str]:
    """Return the names of classes: those that are given, or their numbers.

    Raises:
        ValueError: more or fewer names than classes.
    """
    if names is not None and len(names) != classes:
        raise ValueError(f"names must have one of each of the {classes} classes; got {len(names)}")
    return [str(number) for number in range(classes)] if names is None else list(names)
