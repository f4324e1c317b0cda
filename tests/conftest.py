import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from tests.pretended_cuda import pretended_cuda

os.environ["WANDB_MODE"] = "offline"  # whatever a test forgets to say, nothing reaches for a network
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS refuses deterministic algorithms


@pytest.fixture(autouse=True)
def _reproducible() -> Iterator[None]:
    """One thread (two stall when another process computes), one seed, and no silently random kernel."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


if not torch.cuda.is_available():
    # Autograd looks for devices in the first backward pass and starts threads for them, after which processes cannot
    # be forked. Fake and pretended devices would count, too.
    torch.ones((), requires_grad=True).backward()

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu) if torch.cuda.is_available() else "pretended"]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest, _reproducible: None) -> Iterator[torch.device]:
    """Go through the CPU and a GPU, or where there is none one that is pretended."""
    with device_named(request.param) as device:
        yield device


@pytest.fixture(params=DEVICES[1:])
def gpu(request: pytest.FixtureRequest, _reproducible: None) -> Iterator[torch.device]:
    """Give a GPU, or where there is none one that is pretended."""
    with device_named(request.param) as device:
        yield device


@contextmanager
def device_named(name: str) -> Iterator[torch.device]:
    """Use deterministic algorithms but on a real GPU, where a test asks for those itself."""
    if name == "pretended":
        with pretended_cuda():
            yield torch.device("cuda")
    else:
        torch.use_deterministic_algorithms(name == "cpu")
        yield torch.device(name)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "no Chromium, which tests of pages need: apt-get install chromium, or Google Chrome"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start a browser without a window, and without the calls home that a closed network refuses."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    before = pipes()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        # The driver ends when its pipes are closed; a process that is forked meanwhile would keep them open.
        of_driver = dict(pipes().items() - before.items())
        os.register_at_fork(after_in_child=lambda: close(of_driver))
        yield browser
        browser.close()
        of_driver.clear()


def pipes() -> dict[int, int]:
    """Return the pipes and sockets that this process has open: the inode of each descriptor."""
    found = {}
    for descriptor in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):  # the descriptor of the listing itself, which is closed by now
            status = os.fstat(descriptor)
            if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
                found[descriptor] = status.st_ino
    return found


def close(pipes: dict[int, int]) -> None:
    """Close those that are still open: a number alone may be another file's by now."""
    for descriptor, inode in pipes.items():
        with suppress(OSError):
            if os.fstat(descriptor).st_ino == inode:
                os.close(descriptor)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page, which must not have had an error at the end of the test."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was left out."""
    if any(NO_CHROMIUM in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(NO_CHROMIUM)
