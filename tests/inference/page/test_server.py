import socket

import pytest

from inference.page import Limits, serve_page
from inference.page.server import open_socket
from tests.inference.page.running import inverting
from tests.inference.test_predictor import Inverter


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
        ("nobody.invalid", 0, "cannot listen at nobody.invalid, port 0"),
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
