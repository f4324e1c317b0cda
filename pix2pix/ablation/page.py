"""The page of an ablation: its tables, a picture of samples below each, and the orderings that hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from inference.pictures import as_rgb, sheet
from pix2pix.ablation.orderings import LOWER, Ordering, Scores, check_orderings, orderings_table
from pix2pix.metrics import unit_range
from training.comparison.table import ARROWS, markdown_table, mean_and_deviation

METRICS = {"l1": ("L1", 4), "ssim": ("SSIM", 3), "kid": ("KID", 4), "accuracy": ("accuracy", 3)}  # titles and digits


@dataclass
class Table:
    """A table of the page.

    Attributes:
        title: that it stands under.
        variants: its rows, by their names.
        text: what is said before it.
    """

    title: str
    variants: list[str]
    text: str = ""


@dataclass
class Page:
    """What a page says beside its numbers.

    Attributes:
        title: its first line.
        text: what is said below.
        tables: its tables; by default one of all variants.
        orderings: what the numbers are to show.
        samples: how many test pairs the pictures show, at least 1, spread evenly.
    """

    title: str = "Ablation"
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    orderings: list[Ordering] = field(default_factory=list)
    samples: int = 10

    def check(self, variants: Mapping[str, object]) -> None:
        """Require tables and orderings of variants that there are.

        Raises:
            ValueError: there is none of a name, or ``samples`` is below 1.
        """
        if self.samples < 1:
            raise ValueError(f"page.samples must be at least 1; got {self.samples}")
        for table in self.tables:
            if unknown := [name for name in table.variants if name not in variants]:
                raise ValueError(f"page.tables: {table.title} must be of {', '.join(variants)}; got {unknown[0]}")
        check_orderings(self.orderings, variants)


@dataclass
class Found:
    """What an ablation has found.

    Attributes:
        scores: of each variant, of all seeds in their order.
        references: scores of pictures that no variant made, by what they are.
        inputs: the test inputs, C x H x W in [-1, 1].
        targets: their targets.
        outputs: what each variant made of the inputs, with the first seed.
    """

    scores: Scores
    references: Mapping[str, Mapping[str, float]]
    inputs: Sequence[Tensor]
    targets: Sequence[Tensor]
    outputs: Mapping[str, Sequence[Tensor]]


def write_page(file: Path, page: Page, found: Found, how: str) -> str:
    """Write a page, and beside it ``NAME-1.png`` and so on, samples of the variants of each table; return its text.

    Args:
        file: the page, whose folder is there.
        page: what it says.
        found: the numbers and pictures.
        how: what was trained and measured, a paragraph.
    """
    parts = [f"# {page.title}", page.text.strip(), how]
    for number, table in enumerate(page.tables or [Table("Variants", list(found.scores))], start=1):
        picture = file.with_name(f"{file.stem}-{number}.png")
        _draw(picture, table.variants, found, page.samples)
        image = f"![from top to bottom: input, {', '.join(table.variants)}, target]({picture.name})"
        parts += [f"## {table.title}", table.text.strip(), _tabulate(table.variants, found), image]
    if page.orderings:
        note = (
            "Yes: in all seeds. In the mean: in the mean over the seeds, but not in each. No: not even in the mean. "
            "The seeds are those in which it holds, each beside the same seed of the other variant."
        )
        parts += ["## Which orderings hold", orderings_table(page.orderings, found.scores), note]
    text = "\n\n".join(part for part in parts if part) + "\n"
    file.write_text(text, encoding="utf-8")
    return text


def _tabulate(variants: Sequence[str], found: Found) -> str:
    names = [name for name in METRICS if name in found.scores[variants[0]][0]]
    headings = [f"{METRICS[name][0]} {ARROWS['lower' if name in LOWER else 'higher']}" for name in names]
    rows = [
        [name, *(mean_and_deviation([each[key] for each in found.scores[name]], METRICS[key][1]) for key in names)]
        for name in variants
    ]
    for title, scores in found.references.items():
        rows.append([title, *(f"{scores[key]:.{METRICS[key][1]}f}" if key in scores else "" for key in names)])
    return markdown_table(["", *headings], rows)


def _draw(file: Path, variants: Sequence[str], found: Found, samples: int) -> None:
    count = min(samples, len(found.inputs))
    shown = [sample * len(found.inputs) // count for sample in range(count)]
    rows = {"input": found.inputs, **{name: found.outputs[name] for name in variants}, "target": found.targets}
    pictures = {name: [as_rgb(unit_range(row[index])) for index in shown] for name, row in rows.items()}
    sheet({name.replace("+", "+ "): row for name, row in pictures.items()}).save(file)
