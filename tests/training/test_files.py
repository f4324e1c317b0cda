import pickle

from training import DataError


def test_an_error_keeps_its_line_when_a_worker_sends_it_home() -> None:
    """As torch's ExceptionWrapper makes it again: from its own text with a traceback around."""
    text = "Caught DataError in DataLoader worker process 0.\nOriginal Traceback:\n  File ...\n"
    again = DataError(f"{text}{DataError.__module__}.DataError: a.png: damaged\n")
    assert str(again) == "a.png: damaged"
    assert str(pickle.loads(pickle.dumps(again))) == "a.png: damaged"
