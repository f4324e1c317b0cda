import pytest
import torch

from pix2pix.chunks import Batch, chunks_of, mean_of


def batch(pairs: int, with_known: bool) -> Batch:
    pictures = torch.arange(float(pairs)).view(pairs, 1, 1, 1).expand(-1, 3, 4, 4)
    made: Batch = {"input": pictures, "target": -pictures, "name": [str(number) for number in range(pairs)]}
    if with_known:
        made["known"] = pictures[:, :1] > 1
    return made


def test_the_parts_are_the_batch_in_order() -> None:
    whole = batch(5, with_known=True)
    chunks = chunks_of(whole, 2)
    assert [len(chunk.source) for chunk in chunks] == [3, 2]
    assert [chunk.share for chunk in chunks] == [0.6, 0.4]
    assert torch.equal(torch.cat([chunk.source for chunk in chunks]), whole["input"])
    assert torch.equal(torch.cat([chunk.target for chunk in chunks]), whole["target"])
    assert torch.equal(torch.cat([chunk.known for chunk in chunks if chunk.known is not None]), whole["known"])


def test_a_small_batch_has_fewer_parts() -> None:
    chunks = chunks_of(batch(2, with_known=False), 4)
    assert [(len(chunk.source), chunk.known) for chunk in chunks] == [(1, None), (1, None)]


def test_means_are_weighted_by_the_sizes_of_the_parts() -> None:
    chunks = chunks_of(batch(5, with_known=False), 2)
    values = [{"l1": torch.tensor(1.0)}, {"l1": torch.tensor(2.0)}]
    assert mean_of(values, chunks)["l1"].item() == pytest.approx(1.4)
