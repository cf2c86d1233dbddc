"""A local destination of alerts: an HTTP server that keeps what it receives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nba_predictions_tests.servers import free_port

#: As long as the token of a service. It must not appear in any output.
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"


@dataclass
class Receiver:
    """Accepts `json://` addresses of apprise. It can be down or answer with an error."""

    port: int = field(default_factory=free_port)
    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/hook/{SECRET}?+X-Token={SECRET}"

    @property
    def titles(self) -> list[str]:
        return [str(post["title"]) for post in self.posts]

    def up(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == 200:
                    receiver.posts.append(json.loads(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def receiving(up: bool = True) -> Iterator[Receiver]:
    """Yield a receiver that starts up or down."""
    receiver = Receiver()
    if up:
        receiver.up()
    try:
        yield receiver
    finally:
        receiver.down()


@pytest.fixture
def slack() -> Iterator[Receiver]:
    """A destination that answers."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[Receiver]:
    """A destination that does not answer until `up` is called."""
    with receiving(up=False) as receiver:
        yield receiver
