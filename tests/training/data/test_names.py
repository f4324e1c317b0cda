import pickle

import pytest

from training.data import Names

STRINGS = ["a", "", "caf\u00e9", "\u6f22\u5b57", "b" * 300, "\udcff"]  # the last a name of a file that is no UTF-8


def test_names_are_a_sequence_of_the_strings() -> None:
    names = Names(STRINGS)
    assert list(names) == STRINGS
    assert names == STRINGS
    assert names != STRINGS[:-1]
    assert len(names) == 6
    assert (names[0], names[4], names[-1], names[-6]) == ("a", "b" * 300, "\udcff", "a")
    assert names[1:4] == STRINGS[1:4]
    assert names[::-2] == STRINGS[::-2]
    assert "caf\u00e9" in names
    assert pickle.loads(pickle.dumps(names)) == STRINGS
    assert list(Names([])) == []
    for beyond in 6, -7:
        with pytest.raises(IndexError):
            names[beyond]


def test_they_are_made_of_any_iterable() -> None:
    assert Names(str(number) for number in range(3)) == ["0", "1", "2"]
