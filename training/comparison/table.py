"""The tables of a comparison: means over the seeds with their deviations, as Markdown."""

import math
import statistics
from collections.abc import Sequence

STUDENT = (  # 97.5 % quantiles of Student's t, of 1, 2, ... degrees of freedom; for more, the last is a little too wide
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
ARROWS = {"higher": "↑", "lower": "↓"}  # what stands beside a metric of which a higher, or a lower, value is better


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its first column is of names, the others are of numbers."""
    rule = "|---|" + "---:|" * (len(headings) - 1)
    first, *others = (f"| {' | '.join(cells)} |" for cells in (headings, *rows))
    return "\n".join([first, rule, *others])


def mean_and_deviation(values: Sequence[float], digits: int) -> str:
    """Return the mean of at least one value with its standard deviation; without that of a single one."""
    mean = f"{statistics.fmean(values):z.{digits}f}"  # z: no zero is negative
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean by Student's t, from at least two values."""
    quantile = STUDENT[min(len(values) - 1, len(STUDENT)) - 1]
    mean, half = statistics.fmean(values), quantile * statistics.stdev(values) / math.sqrt(len(values))
    return mean - half, mean + half
