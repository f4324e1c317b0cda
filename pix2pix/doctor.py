"""``pix2pix doctor``: what is wrong with pairs, before a training on them begins."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from inference import DataError
from inference.pictures import EXTENSIONS, Picture
from pix2pix.data import PairedImages, Pairs, SideBySide, TwoFolders
from pix2pix.data.formats import directed
from pix2pix.data.pairs import AloneError
from training.configurations import configuration_at
from training.data import Split
from training.doctor import GLANCE, Examined, Finding, Place, Severity, evenly, examine, tell
from training.doctor.duplicates import duplicates
from training.doctor.page import write_page
from training.run_data import data_of_config

SPLITS: tuple[Split, ...] = ("train", "val", "test")
CLEAR = 0.2  # height of a peak of the phase correlation that is no accident
BETTER = 2.0  # times the height at no shift
LEAST = 20  # pairs, to tell which sides are usual


def doctor(data: str, *, root: str | None = None, json: str | None = None, html: str | None = None) -> None:
    """Read every pair of pictures completely, and report what is wrong with the data and what to do.

    It finds pictures without a partner, and files that are no pictures; pairs that cannot be read or do not fit the
    options; pairs that are in two splits or twice in one, even if they differ in compression or size; constant
    pictures; inputs and targets that are the same picture, are shifted against each other, or of which only one is
    rotated by its EXIF orientation; and pairs with swapped sides. The exit code is 1 if something must be fixed.

    Args:
        data: a folder of pairs, side by side or in A and B; the folder of a run; or a configuration, a file or the name
            of one that comes with the package.
        root: the folder of the data set, instead of the configuration's.
        json: a file to write all findings to.
        html: a folder for a page that shows the pairs that the findings name.

    Raises:
        DataError: there are no pairs, or something must be fixed.
    """
    module = module_of(data, root)
    samples: list[Examined] = []
    findings: list[Finding] = []
    refused: list[DataError] = []
    for split in SPLITS:
        try:
            layout = module.layout(split)
        except AloneError as error:
            refused.append(error)
            alone = [Place((), sentence) for sentence in error.alone]
            findings.append(Finding("error", f"pictures of {split} have no partner", alone, "remove or complete them"))
        except DataError as error:
            refused.append(error)
            severity: Severity = "warning" if split == "test" else "error"
            place = Place((), split)
            findings.append(Finding(severity, f"split cannot be used ({error})", [place], "see the message"))
        else:
            samples += examine(split, layout.names, reader(module, split))
            findings += no_pictures(layout, split)
    if not samples:
        raise DataError(f"{data}: {refused[0]}")
    findings += of_pairs(samples)
    if html is not None:
        readers = {split: reader(module, split) for split in SPLITS}
        page = write_page(Path(html), data, samples, findings, lambda each: readers[each.split](each.position))
        print(f"page: {page}")
    tell(samples, findings, json)


def glance(module: PairedImages) -> list[Finding]:
    """Examine some training pairs, as ``doctor`` all: before a training, in a moment."""
    names = module.layout("train").names
    return of_pairs(examine("train", names, reader(module, "train"), evenly(len(names), GLANCE)))


def reader(module: PairedImages, split: Split) -> Callable[[int], dict[str, Picture]]:
    """Return what opens input and target of the pair at an index, and requires that they fit the options."""
    formats = None
    with suppress(DataError):  # of a picture that the examination finds
        formats = module.formats

    def read(index: int) -> dict[str, Picture]:
        pictures = directed(module.layout(split).read(index), module.direction)
        if formats is not None:
            formats.check(*pictures)
        return dict(zip(("input", "target"), pictures, strict=True))

    return read


def no_pictures(layout: Pairs, split: str) -> list[Finding]:
    """Return the files of a split that are left out, as their endings are not those of pictures."""
    others = [
        file
        for folder in layout.folders
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".") and file.suffix.lower() not in EXTENSIONS
    ]
    if not others:
        return []
    places = [Place((), str(file)) for file in others]
    remedy = f"they are left out; save those that are pictures as one of {' '.join(EXTENSIONS)}"
    return [Finding("warning", f"files of {split} are no pictures", places, remedy)]


def module_of(data: str, root: str | None) -> PairedImages:
    """Return the data that ``doctor`` is asked about.

    Raises:
        DataError: there is neither a folder nor a configuration of this name.
    """
    place, configuration = Path(data), configuration_at(data, "pix2pix")
    if configuration is not None:
        return data_of_config(configuration, PairedImages, root)
    if not place.is_dir():
        raise DataError(f"{data}: no such folder, and no such configuration; give one")
    layout = TwoFolders if (place / "A").is_dir() and (place / "B").is_dir() else SideBySide
    return PairedImages(place, layout, num_workers=0)


def of_pairs(samples: Sequence[Examined]) -> list[Finding]:
    """Return what is wrong with pairs that were examined."""
    read = [sample for sample in samples if sample.error is None]
    findings = duplicates(samples, "pairs")

    def add(severity: Severity, says: str, where: list[Place], remedy: str) -> None:
        if where:
            findings.append(Finding(severity, says, where, remedy))

    broken = [sample.place(sample.error) for sample in samples if sample.error is not None]
    add("error", "pairs cannot be read", broken, "repair or remove them, or set the option that the message names")
    for side in "input", "target":
        constant = [sample.place() for sample in read if sample.facts[side].constant]
        add("warning", f"pictures of the {side} have one color alone", constant, "remove them if they are empty")
    same = [sample.place() for sample in read if sample.facts["input"].content == sample.facts["target"].content]
    add("warning", "pairs have the same picture on both sides", same, "is the target there twice?")
    turned = [sample.place() for sample in read if sample.facts["input"].turned != sample.facts["target"].turned]
    remedy = "both are read upright; if the other was made of the file as it lies, save both without that orientation"
    add("warning", "pairs have one picture that its EXIF orientation turns, and one without", turned, remedy)
    shifted = [
        sample.place(f"{found.down:+d} down, {found.right:+d} right, confidence {found.confidence:.2f}")
        for sample in read
        if (found := shift_of(sample))
    ]
    remedy = (
        "align them, or train with a term that tolerates shifts: losses.ShiftTolerantL1Loss, pix2pix.RegistrationLoss"
    )
    add("warning", "targets are shifted against their inputs", shifted, remedy)
    add("warning", "pairs look as if their sides were exchanged", exchanged(read), "exchange them back")
    return findings


class Shift(NamedTuple):
    """Where a target lies beside its input.

    Attributes:
        down: how many pixels below.
        right: how many pixels to the right.
        confidence: the height of the phase correlation there: 1 for the same edges, near 0 by chance.
    """

    down: int
    right: int
    confidence: float


def shift_of(sample: Examined) -> Shift | None:
    """Return how the target is shifted against the input; None if it is not, or that is not clear.

    It is the peak of the phase correlation of their edges (Kuglin and Hines 1975).
    """
    source, target = (sample.facts[side] for side in ("input", "target"))
    if source.gray.shape != target.gray.shape or min(source.gray.shape[1:]) < 16:
        return None
    spectra = [torch.fft.rfft2(edges(facts.gray)) for facts in (target, source)]
    cross = spectra[0] * spectra[1].conj()
    correlation = torch.fft.irfft2(cross / cross.abs().clamp_min(1e-9), s=source.gray.shape[1:])
    height, width = correlation.shape
    peak = int(correlation.argmax())
    height_of_peak = float(correlation.flatten()[peak])
    if height_of_peak < CLEAR or height_of_peak < BETTER * correlation[0, 0]:
        return None
    down, right = divmod(peak, width)
    down, right = (place - side if place > side // 2 else place for place, side in ((down, height), (right, width)))
    return Shift(round(down * source.size[0] / height), round(right * source.size[1] / width), height_of_peak)


def edges(gray: Tensor) -> Tensor:
    """Return how steep a picture 1 x H x W is, H x W, fading to 0 at its borders."""
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")[0]
    steep = torch.hypot(padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1])
    windows = [torch.hann_window(side, periodic=False) for side in steep.shape]
    return (steep - steep.mean()) * windows[0][:, None] * windows[1]


def exchanged(samples: Sequence[Examined]) -> list[Place]:
    """Return the pairs whose input looks like the targets, and whose target like the inputs, of the others.

    What pictures look like are their brightness, their contrast and the strength of their colors and edges.
    """
    if len(samples) < LEAST:
        return []
    looks = torch.stack(
        [torch.stack([_looks(sample.facts[side].thumbnail) for side in ("input", "target")]) for sample in samples]
    )
    looks = (looks - looks.flatten(0, 1).mean(0)) / looks.flatten(0, 1).std(0).clamp_min(1e-6)
    usual = looks.median(0).values  # of inputs and of targets
    straight = (looks - usual).square().sum((1, 2))
    crossed = (looks - usual.flip(0)).square().sum((1, 2))
    apart = (usual[0] - usual[1]).square().sum()  # where both sides look alike, nothing can be said
    return [
        sample.place()
        for sample, a, b in zip(samples, straight.tolist(), crossed.tolist(), strict=True)
        if apart > 1 and b + apart < a
    ]


def _looks(thumbnail: Tensor) -> Tensor:
    colorful = thumbnail.amax(0) - thumbnail.amin(0)
    steep = thumbnail.diff(dim=-1).abs().mean() + thumbnail.diff(dim=-2).abs().mean()
    return torch.stack([thumbnail.mean(), thumbnail.std(), colorful.mean(), steep])
