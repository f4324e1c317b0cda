"""Samples that are there twice: in one split, or in two, where they make a test worthless."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.doctor.examination import Examined, Finding, Place

NEAR = 0.08  # difference of two thumbnails, at most, that compression or another size makes
CHUNK = 1024  # pictures that are compared at a time


def duplicates(samples: Sequence[Examined], kind: str) -> list[Finding]:
    """Find samples whose pictures are the same, or nearly the same in two splits.

    Args:
        samples: of all splits.
        kind: what a sample is called, in the plural.
    """
    read = [sample for sample in samples if sample.error is None]
    by_content: dict[bytes, list[Examined]] = {}
    for sample in read:
        by_content.setdefault(b"".join(facts.content for facts in sample.facts.values()), []).append(sample)
    within: list[Place] = []
    across: list[Place] = []
    for first, *others in by_content.values():
        for other in others:
            (within if first.split == other.split else across).append(Place((str(first), str(other))))
    findings = []
    if across:
        says = f"{kind} are in two splits"
        findings.append(Finding("error", says, across, "remove one of each, or the test tells nothing of new ones"))
    if within:
        findings.append(Finding("warning", f"{kind} are there twice", within, "remove one of each, it counts double"))
    firsts = [same[0] for same in by_content.values()]
    if near := _near(firsts):
        says = f"{kind} of two splits differ by little more than their compression or size"
        findings.append(Finding("warning", says, near, "look at them, and remove those that are the same"))
    return findings


def _near(samples: Sequence[Examined]) -> list[Place]:
    """Return pairs of samples of two splits whose thumbnails are nearly the same in all their pictures."""
    found = []
    splits = list(dict.fromkeys(sample.split for sample in samples))
    for number, one in enumerate(splits):
        for other in splits[number + 1 :]:
            left, right = ([sample for sample in samples if sample.split == split] for split in (one, other))
            for first in range(0, len(left), CHUNK):
                part = left[first : first + CHUNK]
                distances = torch.cdist(_stacked(part), _stacked(right), p=torch.inf)
                near = (distances <= NEAR).nonzero().tolist()
                found += [Place((str(part[row]), str(right[column]))) for row, column in near]
    return found


def _stacked(samples: Sequence[Examined]) -> Tensor:
    return torch.stack(
        [torch.cat([facts.thumbnail.flatten() for facts in sample.facts.values()]) for sample in samples]
    )
