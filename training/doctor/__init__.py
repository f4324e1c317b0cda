"""What is wrong with a data set, before hours are spent on it: checks that all applications have."""

from training.doctor.examination import Examined, Finding, Severity, examine, report, tell
from training.doctor.pictures import Facts, facts_of

__all__ = ["Examined", "Facts", "Finding", "Severity", "examine", "facts_of", "report", "tell"]
