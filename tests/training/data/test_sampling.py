import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.sampling import EpochBatchSampler, run_seed, seed_of


def batches_of(
    length: int, batch: int, epoch: int, position: int = 0, rank: int = 0, world: int = 1
) -> EpochBatchSampler:
    """The batches of training in an epoch, from a position on."""
    sampler = EpochBatchSampler(length, batch, True, rank, world)
    sampler.go_to(epoch, position)
    return sampler


def indices(sampler: EpochBatchSampler) -> list[int]:
    return [index for batch in sampler for _, index in batch]


@given(st.integers(0, 60), st.integers(1, 7), st.integers(1, 4), st.integers(0, 9))
def test_training_processes_share_an_epoch_in_whole_batches(length: int, batch: int, world: int, epoch: int) -> None:
    samplers = [batches_of(length, batch, epoch, rank=rank, world=world) for rank in range(world)]
    batches = [list(sampler) for sampler in samplers]
    assert {len(each) for each in batches} == {length // (batch * world)} == {len(samplers[0])}
    assert all(len(each) == batch for process in batches for each in process)
    assert all(at == epoch for process in batches for each in process for at, _ in each)
    seen = [index for sampler in samplers for index in indices(sampler)]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(range(length))


@given(st.integers(0, 60), st.integers(1, 7), st.integers(1, 4))
def test_evaluation_takes_every_sample_once_in_order(length: int, batch: int, world: int) -> None:
    samplers = [EpochBatchSampler(length, batch, False, rank, world) for rank in range(world)]
    assert sorted(index for sampler in samplers for index in indices(sampler)) == list(range(length))
    assert all(indices(sampler) == sorted(indices(sampler)) for sampler in samplers)
    assert all(len(list(sampler)) == len(sampler) for sampler in samplers)


@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 9))
def test_joined_processes_see_the_batches_of_one(length: int, batch: int, epoch: int) -> None:
    one = list(batches_of(length, 2 * batch, epoch))
    two = zip(*(batches_of(length, batch, epoch, rank=rank, world=2) for rank in range(2)), strict=True)
    assert [sorted(each) for each in one] == [sorted(a + b) for a, b in two]


@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 9), st.integers(0, 10))
def test_a_position_gives_the_rest_of_the_epoch(length: int, batch: int, epoch: int, position: int) -> None:
    whole = list(batches_of(length, batch, epoch))
    rest = batches_of(length, batch, epoch, position)
    assert list(rest) == whole[position:]
    assert len(rest) == len(whole)  # Lightning counts the batches of the whole epoch
    rest.set_epoch(epoch)
    assert list(rest) == whole[position:]  # the same epoch is no new begin ...
    rest.set_epoch(epoch + 1)
    assert list(rest) == list(batches_of(length, batch, epoch + 1))  # ... the next one is


def test_the_order_depends_on_epoch_and_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, later = (indices(batches_of(50, 5, epoch)) for epoch in (3, 3, 4))
    assert first == again != later
    monkeypatch.setenv("PL_GLOBAL_SEED", "77")
    assert run_seed() == 77
    assert indices(batches_of(50, 5, 3)) != first


def test_seeds_differ_by_every_part_and_fit_torch() -> None:
    seeds = {seed_of(*parts) for parts in [("a", 1, 2), ("a", 2, 1), ("b", 1, 2), ("a", 12), ("a", 1, 2, 0)]}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of("augment", 0, 0, 0) == 658000132787331385  # on every machine, for ever
