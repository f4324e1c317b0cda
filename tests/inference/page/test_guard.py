import pytest

from inference.page.guard import Guard, names_of


async def nobody(scope: object, receive: object, send: object) -> None:
    raise AssertionError("is not called")


@pytest.mark.parametrize(
    ("bound", "headers", "refused"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, None),
        ("127.0.0.1", {"host": "localhost"}, None),
        ("localhost", {"host": "[::1]:8000", "origin": "http://[::1]:8000"}, None),
        (
            "127.0.0.1",
            {"host": "evil.example:8000"},
            "this server is not evil.example:8000; open it as one of 127.0.0.1",
        ),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}, "this server is not 127.0.0.1.evil.example"),
        ("127.0.0.1", {"host": "[::1"}, "this server is not"),
        ("127.0.0.1", {}, "this server is not nameless"),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "http://localhost:8000"}, None),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "http://localhost:3000"}, "pages of http://localhost:3000"),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "null"}, "requests from pages of null"),
        ("0.0.0.0", {"host": "gpu.example"}, None),
        ("0.0.0.0", {"host": "gpu.example", "origin": "https://gpu.example"}, None),
        ("0.0.0.0", {"host": "gpu.example", "origin": "https://evil.example"}, "pages of https://evil.example"),
    ],
)
def test_only_those_who_mean_this_server_are_answered(bound: str, headers: dict[str, str], refused: str | None) -> None:
    reason = Guard(nobody, names_of(bound)).refusal(headers)
    assert reason == refused if refused is None else refused in (reason or "")
