"""The endpoints over HTTP, each limit, and many clients at once."""

import base64
import socket
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from torch import Tensor

from inference import DataError, Picture, write_picture
from inference.page import Limits
from inference.pictures import Array
from inference.pipeline import Progress
from tests.inference.page.running import CountingWorker, HeldInverter, error_of, inverting, pixels, png, running
from tests.inference.test_predictor import Inverter, gray


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    samples = tmp_path_factory.mktemp("run") / "epoch_001.png"
    write_picture(samples, gray(3, 5, value=9))
    with running(inverting(Inverter(), samples=samples)) as url:
        yield url


# --- what there is


def test_a_picture_comes_back_as_a_file(url: str) -> None:
    response = httpx.post(f"{url}/invert", content=png(gray(3, 4, value=10)))
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert response.headers["content-disposition"] == 'inline; filename="output.png"'
    assert pixels(response.content).tolist() == gray(3, 4, value=245).tolist()
    large = httpx.post(f"{url}/invert", content=png(gray(2, 300, value=1)))
    assert pixels(large.content).tolist() == gray(2, 300, value=254).tolist()


def test_or_as_drawn_pictures_for_the_page(url: str) -> None:
    response = httpx.post(f"{url}/invert", content=png(gray(3, 4, value=10)), headers={"Accept": "application/json"})
    answer = response.json()
    assert (answer["width"], answer["height"]) == (4, 3)
    drawn = {"input": answer["input"], **answer["pictures"]}
    values = {name: pixels(data_of(uri))[0, 0, 0] for name, uri in drawn.items()}
    assert values == {"input": 10, "output": 245}


def data_of(uri: str) -> bytes:
    start, _, data = uri.partition(",")
    assert start == "data:image/png;base64"
    return base64.b64decode(data)


def test_a_service_without_files_always_draws() -> None:
    with running(inverting(Inverter(), has_file=False)) as url:
        assert httpx.post(f"{url}/invert", content=png(gray(1, 1))).json()["pictures"].keys() == {"output"}


def test_the_card_the_samples_and_the_health(url: str) -> None:
    card = httpx.get(f"{url}/card").json()
    assert card == {
        "title": "an <inverter>",
        "facts": {"input": "gray or RGB"},
        "configuration": "model:\n  levels: 3\n",
        "canvas": [32, 48],
        "samples": True,
        "command": "invert",
        "has_file": True,
        "legends": {},
    }
    assert pixels(httpx.get(f"{url}/samples").content)[0, 0, 0] == 9
    before = httpx.get(f"{url}/health").json()
    httpx.post(f"{url}/invert", content=png(gray(1, 1)))
    assert httpx.get(f"{url}/health").json() == {
        "status": "ok",
        "model": "an <inverter>",
        "device": "cpu",
        "waiting": 0,
        "done": before["done"] + 1,
    }


def test_every_answer_is_for_this_page_alone(url: str) -> None:
    page = httpx.get(url)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>an &lt;inverter&gt;</title>" in page.text
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    refused = httpx.get(url, headers={"Host": "evil.example"})
    assert refused.status_code == 403
    assert "this server is not evil.example" in error_of(refused)
    foreign = httpx.post(f"{url}/invert", content=png(gray(1, 1)), headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    for response in page, refused, httpx.get(f"{url}/card"), httpx.get(f"{url}/nothing"):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert "access-control-allow-origin" not in response.headers


# --- what is refused


def test_other_paths_and_methods_are_named(url: str) -> None:
    response = httpx.get(f"{url}/nothing")
    assert response.status_code == 404
    assert error_of(response) == "there is no /nothing; there are /, /card, /health, /invert, /samples"
    response = httpx.get(f"{url}/invert")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert error_of(response) == "/invert takes POST; got GET"
    response = httpx.delete(f"{url}/health")
    assert (response.status_code, error_of(response)) == (405, "/health takes GET; got DELETE")


def test_what_is_no_picture_is_named(url: str) -> None:
    for body, message in {
        b"hello": "the picture: not a picture in a format that can be read",
        b"": "the body of the request must be a picture's file; it is empty",
        png(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8))[:99]: "the picture: damaged",
        b"\x93NUMPY\x01\x00": "the picture: damaged",
        b"II*\0\x08\0\0\0": "the picture: 0 pictures",
    }.items():
        response = httpx.post(f"{url}/invert", content=body)
        assert response.status_code == 400
        assert message in error_of(response)


def test_a_form_is_told_how_to_send_a_file(url: str) -> None:
    response = httpx.post(f"{url}/invert", files={"file": png(gray(1, 1))})
    assert response.status_code == 415
    assert "send the picture's file itself as the body" in error_of(response)


def test_large_uploads_and_pictures_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    with running(inverting(Inverter()), Limits(bytes=2000, pixels=100)) as url:
        too_long = httpx.post(f"{url}/invert", content=png(noise))
        assert (too_long.status_code, error_of(too_long)) == (
            413,
            "the picture: more than 0.002 MB; send a smaller file",
        )
        in_parts = httpx.post(f"{url}/invert", content=iter([png(noise)] * 3))  # which does not say how long it is
        assert in_parts.status_code == 413
        too_wide = httpx.post(f"{url}/invert", content=png(gray(10, 11)))
        assert (too_wide.status_code, error_of(too_wide)) == (
            413,
            "the picture: 10 x 11, more than 0.0001 megapixels; make it smaller",
        )
        assert httpx.post(f"{url}/invert", content=png(gray(10, 10))).status_code == 200


def test_a_queue_that_is_full_refuses_more() -> None:
    inverter = HeldInverter()
    worker = CountingWorker(inverter)
    with running(inverting(inverter), Limits(requests=2), worker) as url, ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(httpx.post, f"{url}/invert", content=png(gray(1, 1))) for _ in range(2)]
        for _ in waiting:
            worker.submitted.acquire()
        assert httpx.get(f"{url}/health").json()["waiting"] == 2
        response = httpx.post(f"{url}/invert", content=png(gray(1, 1)))
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert error_of(response) == "2 pictures wait already; try again later"
        inverter.may_run.set()
        assert [each.result().status_code for each in waiting] == [200, 200]
        assert httpx.get(f"{url}/health").json()["waiting"] == 0


def test_a_picture_that_has_no_turn_in_time_is_given_up_and_one_that_is_begun_is_not() -> None:
    inverter = HeldInverter()
    with running(inverting(inverter), Limits(seconds=0.05)) as url, ThreadPoolExecutor(1) as clients:
        begun = clients.submit(httpx.post, f"{url}/invert", content=png(gray(1, 1)))
        inverter.begun.wait()
        response = httpx.post(f"{url}/invert", content=png(gray(2, 2)))
        assert response.status_code == 503
        assert error_of(response) == "the picture had no turn within 0.05 s; try again later"
        inverter.may_run.set()
        assert begun.result().status_code == 200
    assert inverter.batches == [1]


def test_an_upload_that_does_not_arrive_in_time_is_given_up() -> None:
    inverter = Inverter()
    with running(inverting(inverter), Limits(seconds=0.05)) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        with socket.create_connection((host, port)) as connection:
            connection.sendall(f"POST /invert HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nslow".encode())
            answer = connection.recv(10_000).decode()
    assert answer.startswith("HTTP/1.1 408 ")


def test_errors_of_a_picture_and_of_the_model_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(Inverter):
        def run(self, pictures: Tensor) -> Tensor:
            raise RuntimeError("/secret/path: out of memory")

        def run_large(self, picture: Picture, progress: Progress) -> Array:
            raise DataError(f"{picture.name}: too large for this task")

    with running(inverting(Failing())) as url:
        response = httpx.post(f"{url}/invert", content=png(gray(1, 1)))
        assert response.status_code == 500
        assert error_of(response) == "the model failed on this picture; the server's terminal says why"
        assert capsys.readouterr().err == "failed: RuntimeError: /secret/path: out of memory\n"
        large = httpx.post(f"{url}/invert", content=png(gray(1, 200)))
        assert (large.status_code, error_of(large)) == (400, "the picture: too large for this task")


def test_a_client_that_goes_away_frees_its_place() -> None:
    inverter = HeldInverter()
    worker = CountingWorker(inverter)
    with running(inverting(inverter), Limits(requests=2), worker) as url, ThreadPoolExecutor(1) as clients:
        begun = clients.submit(httpx.post, f"{url}/invert", content=png(gray(1, 1)))
        inverter.begun.wait()
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/invert", content=png(gray(2, 2)), timeout=httpx.Timeout(60, read=0.05))
        while httpx.get(f"{url}/health").json()["waiting"] > 1:
            pass
        inverter.may_run.set()
        assert begun.result().status_code == 200
    assert inverter.batches == [1]


# --- many at once


def test_twenty_clients_at_once_get_what_is_theirs() -> None:
    inverter = HeldInverter(batch_size=4)
    worker = CountingWorker(inverter)
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (8, 8 + 8 * (index % 2), 3), dtype=np.uint8) for index in range(20)]
    with running(inverting(inverter), Limits(), worker) as url, ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(httpx.post, f"{url}/invert", content=png(each), timeout=60) for each in pictures]
        for _ in pictures:
            worker.submitted.acquire()
        inverter.may_run.set()
        for picture, response in zip(pictures, (each.result() for each in asked), strict=True):
            assert response.status_code == 200
            assert np.array_equal(pixels(response.content), 255 - picture)
        health = httpx.get(f"{url}/health").json()
    assert (health["waiting"], health["done"]) == (0, 20)
    assert sum(inverter.batches) == 20
    assert len(inverter.batches) <= 1 + 5 + 2  # the first alone; then full batches of each size, and what is left


def test_nothing_is_kept_of_pictures_that_were_answered() -> None:
    """A megabyte each: thirty of them would show."""
    body = png(gray(1000, 1000))
    with running(inverting(LargeInverter())) as url, httpx.Client() as client:

        def ask(times: int) -> int:
            for _ in range(times):
                assert client.post(f"{url}/invert", content=body).status_code == 200
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before, after = ask(5), ask(30)
        finally:
            tracemalloc.stop()
    assert after - before < 3_000_000


class LargeInverter(Inverter):
    def is_large(self, picture: Picture) -> bool:
        return False
