"""What a comparison has started ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from training.comparison.processes import Processes

RUN = """
import pathlib, signal, sys

def save(*_):
    pathlib.Path("saved").touch()
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
with open("ready", "w") as ready:
    ready.write("ready")
signal.pause()
"""
COMPARISON = """
import sys
from concurrent.futures import ThreadPoolExecutor
from training.comparison.processes import PROCESSES

with ThreadPoolExecutor(1) as pool, PROCESSES.stopped_together():
    pool.submit(PROCESSES.run, [sys.executable, "-c", sys.argv[1]], {}).result()
"""
ROOT = Path(__file__).parents[3]


def test_a_command_has_the_environment_and_gives_what_it_wrote() -> None:
    code = "import os, sys; print(os.environ['OWN']); print('no', file=sys.stderr); sys.exit(3)"
    result = Processes().run([sys.executable, "-c", code], {"OWN": "yes"})
    assert (result.returncode, result.stdout, result.stderr) == (3, "yes\n", "no\n")


def test_sigterm_lets_what_runs_save_before_the_comparison_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    words = [sys.executable, "-c", COMPARISON, RUN]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as comparison:
        assert (tmp_path / "ready").read_text() == "ready"  # waits for it
        comparison.send_signal(signal.SIGTERM)
        out, _ = comparison.communicate(timeout=60)
    assert (out, comparison.returncode) == ("stopped; the same command resumes it\n", 143)
    assert (tmp_path / "saved").is_file()
