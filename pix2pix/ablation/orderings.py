"""Orderings that an ablation is to show, and whether its numbers do."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from training.comparison.table import markdown_table

Metric = Literal["l1", "ssim", "kid", "accuracy"]
LOWER = ("l1", "kid")  # a lower value of these is better
Scores = Mapping[str, Sequence[Mapping[str, float]]]  # by the variants' names, those of all seeds in their order
HEADINGS = ("claim", "by", "better", "other", "holds", "seeds")


@dataclass
class Ordering:
    """A claim that one variant is better than another.

    Attributes:
        better: the name of the variant that should be better.
        than: that of the other.
        metric: by which.
        says: who says so, and with which numbers.
    """

    better: str
    than: str
    metric: Metric
    says: str = ""


@dataclass
class Verdict:
    """What the numbers say of an ordering.

    Attributes:
        better: the mean over the seeds of the variant that should be better.
        than: that of the other.
        seeds: in how many the one is better than the other.
        count: of all seeds.
    """

    better: float
    than: float
    seeds: int
    count: int
    in_the_mean: bool

    def __str__(self) -> str:
        if self.seeds == self.count:
            return "yes"
        return "in the mean" if self.in_the_mean else "no"


def judge(ordering: Ordering, scores: Scores) -> Verdict:
    """Return whether an ordering holds: in the mean over the seeds, and in how many of them."""
    sign = -1 if ordering.metric in LOWER else 1
    one, other = ([each[ordering.metric] for each in scores[name]] for name in (ordering.better, ordering.than))
    means = statistics.fmean(one), statistics.fmean(other)
    seeds = sum(sign * a > sign * b for a, b in zip(one, other, strict=True))
    return Verdict(*means, seeds, len(one), sign * means[0] > sign * means[1])


def orderings_table(orderings: Sequence[Ordering], scores: Scores) -> str:
    """Return a Markdown table with a row for each ordering whose metric was measured."""
    rows = []
    for each in orderings:
        if each.metric in scores[each.better][0]:
            verdict = judge(each, scores)
            numbers = f"{verdict.better:.3f}", f"{verdict.than:.3f}"
            claim = f"{each.better} over {each.than}" + f" ({each.says})" * bool(each.says)
            rows.append([claim, each.metric, *numbers, str(verdict), f"{verdict.seeds} of {verdict.count}"])
    return markdown_table(HEADINGS, rows)


def check_orderings(orderings: Sequence[Ordering], variants: Mapping[str, object]) -> None:
    """Require orderings of variants that there are.

    Raises:
        ValueError: there is none of a name.
    """
    for each in orderings:
        for name in (each.better, each.than):
            if name not in variants:
                raise ValueError(f"orderings must be of the variants {', '.join(variants)}; got {name}")
