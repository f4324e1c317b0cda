"""The same run under several changes and seeds, scored, on one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from inference.configuration import read_yaml
from pix2pix.ablation.page import Found, Page, write_page
from pix2pix.ablation.scores import SIDE, ClassOf, Judge
from pix2pix.data import PairedImages
from training.comparison.folder import FILE, claimed
from training.comparison.run import Config, Run
from training.comparison.schedule import train_all

OTHER = "holds runs of other options under these names"
TESTED = ("l1", "ssim")  # metrics of a run's own test


def ablate(
    variants: Mapping[str, Config],
    data: PairedImages,
    page: Page,
    written: Path,
    out: Path,
    seeds: int,
    jobs: int,
    class_of: ClassOf | None,
) -> None:
    """Train the variants that are not trained yet, score them, and write the page.

    Args:
        variants: configurations of fits, by their names.
        data: the pairs that all are scored on.
        page: what it says beside the numbers.
        written: the file of the page.
        out: folder of all runs.
        seeds: every variant is trained with the seeds 0 to ``seeds`` - 1; at least 1.
        jobs: runs at the same time, which share the processor cores; at least 1.
        class_of: the class of a pair by its name; None leaves the accuracy out.

    Raises:
        ValueError: an option outside its range, a run fails, or ``out`` holds other runs.
    """
    for name, value in ("seeds", seeds), ("jobs", jobs):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    page.check(variants)
    file = out / FILE
    before = read_yaml(file) if file.is_file() else {}
    with claimed(out, before | dict(variants), variants, OTHER):  # others may be there: a table may grow
        runs = [Run("pix2pix", out, name, seed, config) for seed in range(seeds) for name, config in variants.items()]
        train_all(runs, jobs, len(runs))
        found = score_all(runs, Judge(data, class_of))
        written.parent.mkdir(parents=True, exist_ok=True)
        print(write_page(written, page, found, how(runs, data)))
        print(f"page: {written}   runs: {out}")


def score_all(runs: Sequence[Run], judge: Judge) -> Found:
    """Score runs that are over, each by its best checkpoint.

    Args:
        runs: all seeds of a variant in their order.
        judge: what scores them.
    """
    scores: dict[str, list[dict[str, float]]] = {}
    outputs: dict[str, list[Tensor]] = {}
    for run in runs:
        pictures = judge.translate(max(run.folder.glob("*/checkpoints/best.ckpt")))
        tested = run.test_metrics()
        own = {name: tested[name] for name in TESTED} | judge.score(pictures)
        scores.setdefault(run.name, []).append(own)
        outputs.setdefault(run.name, pictures)
    references = {"the targets themselves": judge.score(judge.targets), "the inputs": judge.score(judge.inputs)}
    return Found(scores, references, judge.inputs, judge.targets, outputs)


def how(runs: Sequence[Run], data: PairedImages) -> str:
    """Return what was trained and measured, as a paragraph."""
    pairs = {split: len(data.layout(split)) for split in ("train", "test")}
    lengths = {run.length() for run in runs}
    length = " ".join(map(str, *lengths)) if len(lengths) == 1 else "the epochs of their configurations"
    seeds = len({run.seed for run in runs})
    of_seeds = "one seed" if seeds == 1 else f"{seeds} seeds, of which the tables have mean and standard deviation"
    return (
        f"{len(runs)} runs: {len(runs) // seeds} variants with {of_seeds}, each trained for {length} on "
        f"{pairs['train']} pairs and measured on {pairs['test']} test pairs. L1 and SSIM compare each output with its "
        "target. KID compares the outputs with the training targets, by the features of EfficientNet-Lite0 at "
        f"{SIDE} x {SIDE} pixels. The accuracy is that of a linear classifier on these features, trained on the "
        "training targets, and averaged over the classes. What it tells of the targets themselves is the most, what it "
        "tells of the inputs the least, that a translation can be expected to reach."
    )
