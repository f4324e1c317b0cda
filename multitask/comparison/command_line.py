"""``multitask compare``."""

from pathlib import Path

import yaml
from lightning.pytorch.cli import LightningArgumentParser

from multitask.command_line import MultiTaskCommands
from multitask.comparison.budget import Budget
from multitask.comparison.compare import WEIGHTINGS, compare
from training.configurations import with_configuration

DESCRIPTION = (
    "Train each task alone, and all of them with equal weights, with a small grid of fixed weights, with uncertainty "
    "weighting, with GradNorm, and with GradNorm's weights averaged over time and kept fixed, or under the weightings "
    "that are named: with the same seeds and the same budget. Write compare.md, compare.csv and compare.png into OUT. "
    "A comparison that was stopped goes on with the same command. All other options are those of `multitask fit`; "
    "every run gets them."
)
OWN = ("out", "seeds", "jobs", "weightings", "lrs", "budget")


class CompareCommand(MultiTaskCommands):
    """The options of a fit, and those of the comparison."""

    @classmethod
    def run(cls, command: str, options: list[str]) -> None:
        """Run the command.

        Args:
            command: its name.
            options: its words.
        """
        words = with_configuration(options, cls.program, cls.demo)
        line = cls(prog=f"{cls.program} {command}", description=DESCRIPTION, args=words)
        config = yaml.safe_load(line.parser.dump(line.config, skip_none=False))
        tasks = config["model"]["tasks"]
        config["model"]["tasks"] = {name: task for name, task in tasks.items() if task is not None}
        if config["monitor"] not in (None, cls.monitor):
            raise ValueError(f"monitor {config['monitor']}: a comparison chooses by {cls.monitor}; leave it out")
        own = {name: config.pop(name) for name in OWN}
        rates = own["lrs"] or []
        names = own["weightings"].split(",")
        compare(config, Path(own["out"]), own["seeds"], own["jobs"], names, rates, own["budget"])

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the comparison's own options."""
        super().add_arguments_to_parser(parser)
        parser.add_argument("--out", type=str, default="runs/compare", help="Folder of all its runs.")
        parser.add_argument("--seeds", type=int, default=3, help="Train everything with the seeds 0 to SEEDS - 1.")
        methods = (
            "What is compared beside each task alone, with commas: equal, grid (of fixed weights), uncertainty, "
            "gradnorm, gradnorm-static, and classes of losses, such as FAMO."
        )
        parser.add_argument("--weightings", type=str, default=",".join(WEIGHTINGS), help=methods)
        rates = (
            "Learning rates, [0.001, 0.003]: every variant is trained with its best of them, tried with the seed 0, on "
            "the validation scenes. By default all have that of the model."
        )
        parser.add_argument("--lrs", type=list[float] | None, default=None, help=rates)
        budget = (
            "What all have alike. steps: the epochs of the configuration. time: the training time that equal weights "
            "take for these epochs. How long a step of each takes is measured first and kept in OUT/steps.yaml."
        )
        parser.add_argument("--budget", type=Budget, default="steps", help=budget)
        shared = "Runs at the same time, which share the cores; each has a GPU of its own where there are several."
        parser.add_argument("--jobs", type=int, default=1, help=shared)

    def instantiate_classes(self) -> None:
        """Build nothing: the options are for other processes."""
