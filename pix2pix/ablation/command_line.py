"""``pix2pix ablate``."""

import pkgutil
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.cli import LightningArgumentParser

from pix2pix.ablation.ablate import ablate
from pix2pix.ablation.page import Page
from pix2pix.ablation.scores import ClassOf
from pix2pix.ablation.variants import check_names, with_changes
from pix2pix.command_line import Pix2PixCommands
from training.comparison.run import Config
from training.configurations import with_configuration
from training.failures import WrongUsage

DESCRIPTION = (
    "Train the variants of a configuration with the same seeds, score them on the test pairs, and write a page with "
    "tables, pictures and the orderings that hold. Without --config the variants are those of the paper. An ablation "
    "that was stopped goes on with the same command. All other options are those of `pix2pix fit`; every run gets them."
)
OWN = ("out", "seeds", "jobs", "variants", "classes", "page", "write")
# Of dict[str, Any] jsonargparse would check what has a class_path as if it were complete.
Variants = dict[str, dict | None]  # type: ignore[type-arg]


class AblateCommand(Pix2PixCommands):
    """The options of a fit, and those of the ablation."""

    demo = "paper"

    @classmethod
    def run(cls, command: str, options: list[str]) -> None:
        """Run the command.

        Args:
            command: its name.
            options: its words.
        """
        words = with_configuration(options, cls.program, cls.demo)
        line = cls(prog=f"{cls.program} {command}", description=DESCRIPTION, args=words)
        own = {name: line.config[name] for name in OWN}
        variants = line.variants()
        page = line.parser.instantiate_classes(line.config)["page"]
        out = Path(own["out"])
        class_of = class_function(own["classes"])
        written = Path(own["write"]) if own["write"] else out / "ablation.md"
        ablate(variants, line.datamodule, page, written, out, own["seeds"], own["jobs"], class_of)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the ablation's own options."""
        super().add_arguments_to_parser(parser)
        parser.add_argument("--out", type=str, default="runs/ablation", help="Folder of all its runs.")
        parser.add_argument("--seeds", type=int, default=3, help="Train everything with the seeds 0 to SEEDS - 1.")
        shared = "Runs at the same time, which share the cores; each has a GPU of its own where there are several."
        parser.add_argument("--jobs", type=int, default=1, help=shared)
        changes = "By their names, the options of a fit that a variant changes: {lsgan: {model: {gan_mode: lsgan}}}."
        parser.add_argument("--variants", type=Variants, default={}, help=changes)
        classes = (
            "A function from a pair's name to its class, pix2pix.data.emoji_kinds.kind_of or one of your own: then a "
            "classifier of the targets scores the outputs."
        )
        parser.add_argument("--classes", type=str | None, default=None, help=classes)
        parser.add_argument("--page", type=Page, default=Page(), help="What the page says beside its numbers.")
        parser.add_argument("--write", type=str | None, default=None, help="The page; by default OUT/ablation.md.")

    def instantiate_classes(self) -> None:
        """Build the data alone, on which all are scored: the other options are for other processes."""
        self.datamodule = self._get(self.parser.instantiate_classes(self.config), "data")

    def variants(self) -> dict[str, Config]:
        """Return the configuration of each variant, complete; each is built once, so that mistakes are found at once.

        Raises:
            ValueError: a variant cannot be built.
            WrongUsage: a variant names an option that there is not.
        """
        given: Variants = self.config["variants"]
        check_names(given)
        base = self._options(self.config)
        configs = {}
        for name, changes in given.items():
            try:
                parsed = self.parser.parse_object(with_changes(base, changes or {}))
                self.parser.instantiate_classes(parsed)
            except WrongUsage as error:
                raise WrongUsage(f"variants: {name}: {error.message}") from None
            except ValueError as error:
                raise ValueError(f"variants: {name}: {error}") from None
            configs[name] = self._options(parsed)
            _require_validation(name, configs[name]["trainer"])
        return configs

    def _options(self, config: Any) -> Config:
        """The options of a fit, as its file has them."""
        options: Config = yaml.safe_load(self.parser.dump(config, skip_none=False))
        return {name: value for name, value in options.items() if name not in OWN}


def _require_validation(name: str, trainer: Config) -> None:
    """Require that a run validates once at least: what is scored is its best checkpoint."""
    every, epochs = trainer["check_val_every_n_epoch"] or 1, trainer["max_epochs"] or -1
    if 0 < epochs < every:
        raise ValueError(
            f"variants: {name}: trainer.check_val_every_n_epoch must be at most the {epochs} of max_epochs, or no "
            f"checkpoint is the best, to be scored; got {every}"
        )


def class_function(path: str | None) -> ClassOf | None:
    """Return the function of a dotted path; None for none.

    Raises:
        ValueError: there is no such function.
    """
    if path is None:
        return None
    try:
        function = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"classes must be the path of a function; {path} cannot be imported ({error})") from None
    if not callable(function):
        raise ValueError(f"classes must be the path of a function; {path} is {type(function).__name__}")
    return function
