"""``pix2pix import``: from weights that the reference implementation saved to a checkpoint."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from losses.pretrained import read_state_dict
from pix2pix.discriminators import Discriminator, PatchDiscriminator
from pix2pix.generators import Generator
from pix2pix.module import Pix2Pix
from pix2pix.reference_weights import build_discriminator, build_generator
from training import AtomicCheckpointIO

Built = TypeVar("Built", Generator, Discriminator)


def import_weights(generator: str, out: str, discriminator: str | None = None, unet_dropout: float = 0.5) -> None:
    """Make a checkpoint from weights that pytorch-CycleGAN-and-pix2pix saved.

    `validate`, `test`, `predict` and `fit` take it as --ckpt_path, together with a --config for the data. The networks
    are inferred from the names and shapes of the weights. `fit` starts at epoch 0, with new moments for Adam, because
    the reference does not save them.

    Args:
        generator: the generator's weights, latest_net_G.pth.
        out: the checkpoint to write; an existing file is not overwritten.
        discriminator: the discriminator's weights, latest_net_D.pth. Without them training continues with a new one:
            the paper's, with the generator's norm.
        unet_dropout: the dropout probability of a U-Net, which its weights do not show; 0.5 is the reference's, 0 its
            --no_dropout.

    Raises:
        ValueError: a file is missing, is no such file or holds weights of other networks; or ``out`` is there.
    """
    file = Path(out)
    if file.exists():
        raise ValueError(f"{file} is there already: choose another name, or remove it")

    made = _read(Path(generator), lambda weights: build_generator(weights, unet_dropout))
    if discriminator is None:
        channels, norm = made.in_channels + made.out_channels, made.recipe()["init_args"]["norm"]
        judge: Discriminator = PatchDiscriminator(channels, norm=norm)
    else:
        judge = _read(Path(discriminator), build_discriminator)
    try:
        model = Pix2Pix(made, judge, conditional=judge.in_channels != made.out_channels)
    except ValueError as error:
        raise ValueError(f"{discriminator} does not go with {generator}: {error}") from None

    AtomicCheckpointIO().save_checkpoint(
        {
            "epoch": 0,
            "global_step": 0,
            "pytorch-lightning_version": version("lightning"),
            "state_dict": model.state_dict(),
            "callbacks": {},
            "optimizer_states": [optimizer.state_dict() for optimizer in model.configure_optimizers()],
            "lr_schedulers": [],
            # What the weights tell and no more: the loss, the learning rates and the rest are the configuration's.
            "hyper_parameters": {name: model.hparams[name] for name in ("generator", "discriminator", "conditional")},
        },
        file,
    )
    for network in (made, judge):
        options = ", ".join(f"{name} {value}" for name, value in network.recipe()["init_args"].items())
        print(f"{type(network).__name__}: {options}")
    print(f"written to {file}; test it with: python -m pix2pix test --config YOURS.yaml --ckpt_path {file}")


def _read(file: Path, build: Callable[[Mapping[str, Tensor]], Built]) -> Built:
    """Build a network from a file of weights, with errors that name the file."""
    if not file.exists():
        raise ValueError(f"{file}: no such file")
    try:
        weights = read_state_dict(file)
    except (ValueError, OSError):
        raise ValueError(f"{file}: not a file of weights that can be read; take one such as latest_net_G.pth") from None
    if not all(isinstance(each, Tensor) for each in weights.values()):
        raise ValueError(
            f"{file}: not a dictionary of tensors, as the reference's latest_net_G.pth is; take such a file"
        )
    try:
        return build(weights)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
