"""The same training under several weightings, and what came of it."""

from multitask.comparison.compare import compare

__all__ = ["compare"]
