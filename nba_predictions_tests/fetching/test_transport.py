"""The HTTP client: time and size are limited, and a body that is not complete is known as such."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nba_predictions.domain.errors import SettingsError
from nba_predictions.fetching import transport as module
from nba_predictions.fetching.transport import NoAnswerError, RequestsTransport, make_transport


@contextmanager
def serving(*parts: bytes, pause: float = 0.0, close: bool = True) -> Iterator[str]:
    """Serve one connection: the parts of a raw answer, with a pause before each."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1 << 16)
            for part in parts:
                if done.wait(pause):
                    return
                try:
                    connection.sendall(part)
                except OSError:
                    return
            if not close:
                done.wait(20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x?apiKey=secret"
    done.set()
    server.close()


def head(length: int | None, *more: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_an_answer() -> None:
    body = gzip.compress(b'{"a": 1}')
    with serving(head(len(body), "Content-Encoding: gzip", "ETag: x"), body) as url:
        answer = RequestsTransport(5).get(url, {"User-Agent": "x"})
    assert (answer.status, answer.body, answer.problem) == (200, b'{"a": 1}', "")
    assert answer.headers["etag"] == "x"


@pytest.mark.parametrize("parts", [(), (head(100),), (head(100), b"half")])
def test_a_service_that_hangs(parts: tuple[bytes, ...]) -> None:
    with serving(*parts, close=False) as url, pytest.raises(NoAnswerError) as caught:
        RequestsTransport(0.2).get(url, {})
    assert caught.value.hangs


def test_an_answer_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)
    with (
        serving(head(900), *[b"x"] * 900, pause=0.05) as url,
        pytest.raises(NoAnswerError, match="did not end in time") as caught,
    ):
        RequestsTransport(0.1).get(url, {})
    assert caught.value.hangs


def test_an_answer_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER_BYTES", 10)
    with serving(head(11), b"x" * 11) as url, pytest.raises(NoAnswerError, match="more than 10"):
        RequestsTransport(5).get(url, {})


def test_a_small_answer_that_decompresses_to_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER_BYTES", 1 << 20)
    body = gzip.compress(bytes(1 << 26))
    with (
        serving(head(len(body), "Content-Encoding: gzip"), body) as url,
        pytest.raises(NoAnswerError, match="more than"),
    ):
        RequestsTransport(5).get(url, {})


def test_a_body_that_is_cut_off() -> None:
    with serving(head(20_000), b"half" * 2500) as url:
        answer = RequestsTransport(5).get(url, {})
    assert (answer.status, answer.problem) == (200, "the answer is cut off")
    # The end is lost, but not what is needed to see what came.
    assert answer.body == b"half" * 2432


def test_a_body_that_is_not_compressed() -> None:
    with serving(head(4, "Content-Encoding: gzip"), b"text") as url:
        answer = RequestsTransport(5).get(url, {})
    assert answer.problem == "the answer is not compressed as its header says"


def test_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswerError) as caught:
        RequestsTransport(5).get(f"http://127.0.0.1:{port}/", {})
    assert not caught.value.hangs


def test_logs_have_no_query(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("urllib3", "urllib3.connectionpool", "urllib3.util.retry"):
        caplog.set_level(logging.DEBUG, name)
    with serving(head(2), b"{}") as url:
        RequestsTransport(5).get(url, {})
    assert '"GET /x?***' in caplog.text
    assert "secret" not in caplog.text


def test_names() -> None:
    assert isinstance(make_transport("requests", 30), RequestsTransport)


def test_curl_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "curl_cffi", None)
    with pytest.raises(SettingsError, match=r"install nba-predictions\[browser\]"):
        make_transport("curl_cffi", 30)
