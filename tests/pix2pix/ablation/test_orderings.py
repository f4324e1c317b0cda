import pytest

from pix2pix.ablation.orderings import Ordering, check_orderings, judge, orderings_table

SCORES = {
    "a": [{"l1": 0.1, "kid": 0.2, "accuracy": 0.7}, {"l1": 0.2, "kid": 0.2, "accuracy": 0.8}],
    "b": [{"l1": 0.3, "kid": 0.4, "accuracy": 0.6}, {"l1": 0.4, "kid": 0.1, "accuracy": 0.9}],
}


@pytest.mark.parametrize(
    ("better", "than", "metric", "verdict", "seeds"),
    [
        ("a", "b", "l1", "yes", 2),  # lower is better
        ("b", "a", "l1", "no", 0),
        ("a", "b", "kid", "in the mean", 1),  # 0.2 under 0.25, but not in the second seed
        ("b", "a", "kid", "no", 1),
        ("a", "b", "accuracy", "no", 1),  # equal in the mean is not better
    ],
)
def test_an_ordering_holds_in_all_seeds_in_the_mean_or_not(
    better: str, than: str, metric: str, verdict: str, seeds: int
) -> None:
    found = judge(Ordering(better, than, metric), SCORES)  # type: ignore[arg-type]
    assert (str(found), found.seeds, found.count) == (verdict, seeds, 2)


def test_the_table_has_a_row_for_each_that_was_measured() -> None:
    orderings = [Ordering("a", "b", "l1", "paper .1 under .2"), Ordering("a", "b", "ssim"), Ordering("b", "a", "kid")]
    assert orderings_table(orderings, SCORES).splitlines()[2:] == [
        "| a over b (paper .1 under .2) | l1 | 0.150 | 0.350 | yes | 2 of 2 |",
        "| b over a | kid | 0.250 | 0.200 | no | 1 of 2 |",
    ]


def test_an_ordering_of_another_variant_is_refused() -> None:
    check_orderings([Ordering("a", "b", "l1")], SCORES)
    with pytest.raises(ValueError, match=r"^orderings must be of the variants a, b; got c$"):
        check_orderings([Ordering("a", "c", "l1")], SCORES)
