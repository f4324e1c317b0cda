import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from inference import Picture
from inference.page import Limits, serve_page
from inference.page.server import open_socket
from inference.pictures import Array
from inference.pipeline import Progress
from tests.inference.page.running import CountingWorker, HeldInverter, error_of, inverting, png, running
from tests.inference.test_predictor import Inverter, gray


def test_a_port_in_use_is_one_line_that_names_it() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ValueError, match=rf"^cannot listen at 127.0.0.1, port {port} \(address already in use\); set"
        ):
            serve_page(inverting(Inverter()), "127.0.0.1", port, Limits())


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 65536, "port must be from 0 to 65535; got 65536"),
        ("192.0.2.1", 0, "cannot listen at 192.0.2.1, port 0"),
    ],
)
def test_what_cannot_be_listened_at_is_named(host: str, port: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_socket(host, port)


def test_an_address_of_version_6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        with open_socket("::1", 0) as listener:
            assert listener.family == socket.AF_INET6
    except ValueError as error:  # a machine without an address of its own
        assert "cannot listen at ::1" in str(error)


def test_at_the_end_what_was_begun_is_answered_and_what_waits_is_told() -> None:
    inverter = HeldInverter()
    worker = CountingWorker(inverter)
    with ThreadPoolExecutor(2) as clients, running(inverting(inverter), worker=worker) as url:
        begun = clients.submit(httpx.post, f"{url}/invert", content=png(gray(1, 1)))
        inverter.begun.wait()
        waits = clients.submit(httpx.post, f"{url}/invert", content=png(gray(2, 2)))
        for _ in range(2):
            worker.submitted.acquire()
        waits.add_done_callback(lambda _: inverter.may_run.set())
    assert (waits.result().status_code, error_of(waits.result())) == (503, "the server is stopping")
    assert begun.result().status_code == 200


def test_a_large_picture_ends_with_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    class Endless(Inverter):
        def run_large(self, picture: Picture, progress: Progress) -> Array:
            begun.set()
            while True:
                progress(0, 1)

    begun = threading.Event()
    with ThreadPoolExecutor(1) as clients, running(inverting(Endless())) as url:
        large = clients.submit(httpx.post, f"{url}/invert", content=png(gray(1, 200)))
        begun.wait()
    assert (large.result().status_code, error_of(large.result())) == (503, "the server is stopping")
    assert capsys.readouterr() == ("", "")
