"""Make docs/errors.md again: ``python -m tests.errors``."""

import os
import sys
from pathlib import Path

import pytest

from tests.errors.page import PAGE

os.environ["WRITE_ERRORS"] = str(PAGE)
sys.exit(pytest.main(["-q", "-p", "no:xdist", str(Path(__file__).with_name("test_errors.py"))]))
