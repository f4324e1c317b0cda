"""The command line: ``python -m multitask fit | validate | test | predict | compare | toy``."""

from collections.abc import Sequence

from jsonargparse import auto_cli
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.cli import LightningArgumentParser

from multitask.baselines import measure_constants
from multitask.callbacks import PredictionWriter, TaskPictures
from multitask.comparison import compare
from multitask.data import SceneData
from multitask.module import MultiTask
from multitask.toy import toy
from training import CommandLine, Curves, one_line_failures, run_command
from training.failures import OneLineErrors

DESCRIPTION = (
    "Several tasks on one encoder. Two more commands: `multitask compare` trains the same configuration with several "
    "weightings and compares them, `multitask toy` runs the toy of the GradNorm paper. Without --config, `fit` runs "
    "the demo, rendered rooms. --debug shows the tracebacks of errors."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Bad input ends with one line and exit code 1, bad usage with one line and exit code 2.

    Args:
        arguments: the words after ``multitask``; by default those of the process.
    """
    with one_line_failures("multitask", arguments) as words:
        if words[:1] == ["compare"]:
            compare(words[1:])
        elif words[:1] == ["toy"]:
            auto_cli(toy, args=words[1:], prog="multitask toy", parser_class=OneLineErrors)
        else:
            run_command(words, MultiTaskCommands, MultiTask, SceneData, description=DESCRIPTION, max_epochs=100)


class MultiTaskCommands(CommandLine):
    """What a run of several tasks has beside that of every run."""

    program = "multitask"
    demo = "rooms"
    monitor = "val/loss"
    shown = ("train/total", "val/loss")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add how many scenes are drawn."""
        super().add_arguments_to_parser(parser)
        parser.add_lightning_class_args(TaskPictures, "samples")

    def callbacks(self) -> list[Callback]:
        """Make what draws curves, writes predictions, and logs the learning rate."""
        tasks = self.model.named_tasks()
        panels: dict[str, tuple[str, ...]] = {f"{name}: loss": (f"train/{name}", f"val/{name}") for name in tasks}
        for name, task in tasks.items():
            measure = next(iter(task.better))
            panels[f"{name}: {measure}"] = (f"val/{name}/{measure}",)
        for title in ("weight", "weighted", "gradient_norm", "training_rate"):
            panels[title.replace("_", " ")] = (f"{title}/*",)
        return [Curves(panels), PredictionWriter(), LearningRateMonitor()]

    def report(self) -> str:
        """Make a table of the test measures, beside those of constants."""
        constants = measure_constants(self.datamodule, self.model.named_tasks())
        ours = {key.removeprefix("test/"): value for key, value in self.trainer.callback_metrics.items()}
        lines = [f"{'test scenes':<24}this model   without looking"]
        for task, measures in ((name, task.better) for name, task in self.model.named_tasks().items()):
            for key in (f"{task}/{measure}" for measure in measures):
                if key in ours:
                    constant = f"{constants[key]:.4f}" if key in constants else "-"
                    lines.append(f"{key:<24}{ours[key].item():10.4f}   {constant:>15}")
        return "\n".join(lines)


if __name__ == "__main__":
    main()
