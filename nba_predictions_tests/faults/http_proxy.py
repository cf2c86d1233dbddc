"""An HTTP proxy that forwards requests and injects faults."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from nba_predictions_tests.faults.script import ERRORS, Kind, Script

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class HttpProxy:
    """Listen at `url` and forward to `target` (`http://host:port`).

    Calls are named by method and path: `POST /upload/bigquery/v2/projects/p/jobs?...`.
    """

    def __init__(self, target: str) -> None:
        self.script = Script()
        proxy = self

        class Handler(_ForwardingHandler):
            script = proxy.script
            upstream = target

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> HttpProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections."""


class _ForwardingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script
    upstream: str

    def _forward_with_fault(self) -> None:
        fault = self.script.record_call(f"{self.command} {self.path}")
        kind = fault.kind if fault else None
        if kind is Kind.REQUEST_CUT:
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            self._cut()
            return
        body = self._body()
        if fault and kind is Kind.REFUSED:
            self._answer(*_error(fault.error))
            return
        if fault and kind is Kind.SLOW:
            time.sleep(fault.seconds)
        if kind is Kind.DUPLICATED:
            self._forward(body)
        answer = self._forward(body)
        if kind is Kind.ANSWER_CUT:
            self._cut()
        elif fault and kind is Kind.ANSWER_LOST:
            self._answer(*_error(fault.error))
        else:
            self._answer(*answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward_with_fault  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing: the script records the calls."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        proxy_url = f"http://{self.headers['Host']}"
        for key, value in headers:
            if key.lower() not in _HOP_BY_HOP:
                # The continuation of an upload must also use this proxy.
                self.send_header(key, value.replace(self.upstream, proxy_url))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _error(name: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return an error response in BigQuery's format."""
    code = int(ERRORS[name].code or 500)
    reason = "rateLimitExceeded" if name == "too_many_requests" else "backendError"
    detail = {"reason": reason, "message": "injected"}
    error = {"error": {"code": code, "message": "injected", "errors": [detail]}}
    return code, [("Content-Type", "application/json")], json.dumps(error).encode()
