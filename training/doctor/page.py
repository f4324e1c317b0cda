"""The places where something is wrong, as pictures on a page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from inference import Picture
from inference.gallery import About, GalleryFolder
from inference.gallery.columns import drawn
from training.doctor.examination import Examined, Finding

MOST = 100  # places of a finding that are shown


def write_page(
    folder: Path,
    data: str,
    samples: Sequence[Examined],
    findings: Sequence[Finding],
    read: Callable[[Examined], Mapping[str, Picture]],
) -> Path:
    """Write a page that shows the samples that findings name; a page that is there is replaced.

    Args:
        folder: to write to.
        data: what was examined.
        samples: all that were examined; those that could not be read are not shown.
        findings: what is wrong with them.
        read: opens the pictures of a sample.

    Returns:
        The file of the page.
    """
    readable = {str(sample): sample for sample in samples if sample.error is None}
    shown = [
        (f"{finding.says}: {place}", [readable[name] for name in place.samples])
        for finding in findings
        for place in finding.where[:MOST]
        if place.samples and all(name in readable for name in place.samples)
    ]
    gallery = GalleryFolder(folder, len(shown), overwrite=True)
    columns: dict[str, None] = {}
    for title, involved in shown:
        pictures: dict[str, Image.Image] = {}
        for prefix, sample in zip(("", "other "), involved, strict=False):
            pictures |= {f"{prefix}{kind}": drawn(picture) for kind, picture in read(sample).items()}
        columns |= dict.fromkeys(pictures)
        gallery.add(title, pictures, {})
    return gallery.write(About(title=f"Doctor: {data}", lines=[list(columns)], better={}, facts=_facts(findings)))


def _facts(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.says} ({len(finding.where)}); {finding.remedy}." for finding in findings] or [
        "Nothing is wrong."
    ]
