"""The command line: ``python -m pix2pix fit | validate | test | predict | pair``."""

from collections.abc import Sequence

from jsonargparse import auto_cli
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser

from pix2pix.baselines import measure_baselines
from pix2pix.callbacks import PredictionWriter, SampleGrid
from pix2pix.data import PairedImages
from pix2pix.data.pairing import pair
from pix2pix.module import Pix2Pix
from training import CommandLine, Curves, one_line_failures, run_command
from training.failures import OneLineErrors

DESCRIPTION = (
    "Paired image-to-image translation. One more command makes a data set: `pix2pix pair A B OUT` writes pictures "
    "side by side from two folders. Without --config, `fit` runs the demo, line drawings to coloured pictures. "
    "--debug shows the tracebacks of errors."
)
PANELS = {
    "generator: adversarial loss": ("train/G_gan",),
    "generator: L1": ("train/G_l1",),
    "discriminator": ("train/D_real", "train/D_fake", "train/D_penalty"),
    "discriminator's mean scores": ("train/D_output_real", "train/D_output_fake"),
    "validation L1": ("val/l1",),
    "validation PSNR (dB)": ("val/psnr",),
    "validation SSIM": ("val/ssim",),
    "learning rates": ("lr/G", "lr/D"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Bad input ends with one line and exit code 1, bad usage with one line and exit code 2.

    Args:
        arguments: the words after ``pix2pix``; by default those of the process.
    """
    with one_line_failures("pix2pix", arguments) as words:
        if words[:1] == ["pair"]:
            auto_cli(pair, args=words[1:], prog="pix2pix pair", parser_class=OneLineErrors)
        else:
            run_command(words, Pix2PixCommands, Pix2Pix, PairedImages, description=DESCRIPTION, max_epochs=200)


class Pix2PixCommands(CommandLine):
    """What a run of pix2pix has beside that of every run."""

    program = "pix2pix"
    demo = "emoji"
    monitor = "val/l1"
    strategy = "ddp_find_unused_parameters_true"  # plain ddp cannot: in each backward a network has no gradients
    shown = ("train/G_gan", "train/G_l1", "train/D_real", "train/D_fake", "val/l1")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add how many pictures are drawn."""
        super().add_arguments_to_parser(parser)
        parser.add_lightning_class_args(SampleGrid, "samples")

    def callbacks(self) -> list[Callback]:
        """Make what draws curves and writes predictions."""
        return [Curves(PANELS), PredictionWriter()]

    def report(self) -> str:
        """Make a table of the test measures and the baselines'."""
        ours = {key: self.trainer.callback_metrics[f"test/{key}"].item() for key in ("l1", "psnr", "ssim")}
        rows = {"this model": ours, **measure_baselines(self.datamodule)}
        lines = [f"{'test pairs':<20}      L1    PSNR    SSIM"]
        lines += [f"{name:<20}  {row['l1']:.4f}  {row['psnr']:6.2f}  {row['ssim']:.4f}" for name, row in rows.items()]
        return "\n".join(lines)


if __name__ == "__main__":
    main()
