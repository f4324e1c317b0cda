"""What is wrong with a data set, before hours are spent on it: checks that all applications have."""

from training.doctor.examination import GLANCE, Examined, Finding, Place, Severity, evenly, examine
from training.doctor.pictures import Facts, facts_of
from training.doctor.report import report, show, tell

__all__ = [
    "GLANCE",
    "Examined",
    "Facts",
    "Finding",
    "Place",
    "Severity",
    "evenly",
    "examine",
    "facts_of",
    "report",
    "show",
    "tell",
]
