"""A trained model as translation needs it, from its checkpoint without Lightning."""

from pathlib import Path
from typing import NamedTuple, Protocol

from inference import build, damage_named, read_checkpoint
from inference.modes import InferenceMode
from pix2pix.data.formats import PairFormats
from pix2pix.generators import Generator

RECALIBRATED = "recalibrated_statistics"  # what a checkpoint says of its running statistics


class Trained(Protocol):
    """What translation needs of a model; :class:`Pix2Pix` has it."""

    @property
    def generator(self) -> Generator:
        """The network."""

    @property
    def formats(self) -> PairFormats:
        """What goes in and comes out."""

    @property
    def inference(self) -> InferenceMode:
        """The mode in which the network is used."""


class Loaded(NamedTuple):
    """A model from its checkpoint, without Lightning."""

    generator: Generator
    formats: PairFormats
    inference: InferenceMode
    recalibrated: bool


def load(checkpoint: Path) -> Loaded:
    """Rebuild what translation needs of a model from its checkpoint; without Lightning.

    Args:
        checkpoint: the file.

    Raises:
        ValueError: it cannot be read, or is not of pix2pix.
    """
    content = read_checkpoint(checkpoint)
    parameters = content["hyper_parameters"]
    if "generator" not in parameters:
        raise ValueError(f"{checkpoint}: a checkpoint of another model than pix2pix; take one of its own")
    prefix = "generator."
    with damage_named(checkpoint):
        generator = build(parameters["generator"], Generator)
        state = content["state_dict"].items()
        generator.load_state_dict({name[len(prefix) :]: value for name, value in state if name.startswith(prefix)})
        formats = (
            PairFormats.of(content["data"])
            if content.get("data")
            else PairFormats.of_networks(generator.in_channels, generator.out_channels)
        )
        mode = InferenceMode(**parameters.get("inference", {}))
    return Loaded(generator.eval(), formats, mode, content.get(RECALIBRATED, False))


def require_recalibrated(mode: InferenceMode, recalibrated: bool) -> None:
    """Require that the statistics of a checkpoint are recalibrated, where the mode has them.

    Raises:
        ValueError: they are others.
    """
    if mode.norm == "recalibrated" and not recalibrated:
        raise ValueError(
            "norm recalibrated: this checkpoint was not written after a validation in this mode; take another "
            "checkpoint, another mode (the option inference), or train it on in this one"
        )
