"""``pix2pix modes``: the modes of inference of one checkpoint, beside each other."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.cli import LightningArgumentParser
from torch import Tensor

from inference import PRESETS, InferenceMode, run_of
from inference.pictures import as_rgb, sheet
from pix2pix.command_line import Pix2PixCommands
from pix2pix.data import PairedImages
from pix2pix.metrics import metrics_table, unit_range
from pix2pix.module import Pix2Pix
from pix2pix.recalibration import recalibrate_generator
from training.configurations import with_configuration

DESCRIPTION = (
    "Measure a checkpoint on the validation pairs in each mode of inference, and draw the same samples in all of them. "
    "Configuration and data are those of the checkpoint's run; all options of `pix2pix fit` can change them."
)
MODES = {
    "standard": PRESETS["standard"],
    "recalibrated": InferenceMode("recalibrated"),
    "instance": InferenceMode("instance"),
    "batch": InferenceMode("batch"),
    "paper": PRESETS["paper"],
}


class ModesCommand(Pix2PixCommands):
    """The options of a fit, and the checkpoint."""

    @classmethod
    def run(cls, command: str, options: list[str]) -> None:
        """Run the command.

        Args:
            command: its name.
            options: its words: the checkpoint, and options of a fit.
        """
        if options and not options[0].startswith("-"):
            options = ["--ckpt_path", *options]
        words = with_configuration(options, cls.program, cls.demo)
        line = cls(prog=f"{cls.program} {command}", description=DESCRIPTION, args=words)
        if line.option("ckpt_path") is None:
            raise ValueError(f"{command} needs a checkpoint: modes runs/NAME/TIME/checkpoints/best.ckpt")
        trainer = {name: line.option("trainer")[name] for name in ("accelerator", "precision")}
        compare_modes(Path(line.option("ckpt_path")), line.datamodule, line.option("samples")["count"], trainer)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that the ``config.yaml`` of a run has besides those of every command."""
        super().add_arguments_to_parser(parser)
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="The checkpoint.")
        parser.add_argument("--weights_only", type=bool | None, default=None, help="Always: this has no effect.")

    def instantiate_classes(self) -> None:
        """Build the data alone: the model is the checkpoint's."""
        self.datamodule = self._get(self.parser.instantiate_classes(self.config), "data")


def compare_modes(checkpoint: Path, data: PairedImages, count: int, trainer: dict[str, Any]) -> None:
    """Print the validation metrics of each mode, and draw samples into a file beside the run's config.yaml.

    Args:
        checkpoint: of a run; one that lies in no run gets the file beside it.
        data: the pairs. Its batches are those of the mode ``batch``.
        count: how many samples, spread evenly over the validation pairs.
        trainer: options of the trainer that validates.
    """
    length = len(data.layout("val"))
    wanted = {sample * length // count for sample in range(min(count, length))}
    options: dict[str, Any] = {"devices": 1, "use_distributed_sampler": False, "logger": False, **trainer}
    options |= {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    rows, drawn = {}, {}
    for name, mode in MODES.items():
        model = Pix2Pix.load_from_checkpoint(checkpoint, inference="standard")
        model.inference = mode  # after loading, which asks for statistics that are recalibrated already
        samples = Samples(wanted)
        (metrics,) = pl.Trainer(callbacks=samples, **options).validate(model, datamodule=data, verbose=False)
        rows[name] = {key.removeprefix("val/"): value for key, value in metrics.items()}
        drawn[name] = samples
    print(metrics_table("validation pairs", rows))

    first, *_ = drawn.values()
    outputs = {name: samples.outputs for name, samples in drawn.items()}
    file = (run_of(checkpoint) or checkpoint.parent) / f"modes_{checkpoint.stem}.png"
    sheet({"input": first.inputs, **outputs, "target": first.targets}).save(file)
    print(f"{file}, from top to bottom: input, {', '.join(drawn)}, target")


class Samples(pl.Callback):
    """Keeps some of the validation pairs and what became of them; recalibrates first where the mode asks for it.

    Args:
        wanted: the samples' places among the validation pairs.
    """

    def __init__(self, wanted: Collection[int]) -> None:
        self.wanted = wanted
        self.seen = 0
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Recalibrate: outside of training the model takes the statistics as they are."""
        assert isinstance(pl_module, Pix2Pix)
        if pl_module.inference.norm == "recalibrated":
            recalibrate_generator(trainer, pl_module)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep those of the batch that are wanted."""
        for pictures in zip(batch["input"], outputs, batch["target"], strict=True):
            if self.seen in self.wanted:
                for kept, picture in zip((self.inputs, self.outputs, self.targets), pictures, strict=True):
                    kept.append(as_rgb(unit_range(picture.float().cpu())))
            self.seen += 1
