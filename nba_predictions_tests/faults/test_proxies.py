"""The fault proxies: they forward calls unchanged and inject each kind of fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
import requests

from nba_predictions_tests.faults.grpc_proxy import GrpcProxy
from nba_predictions_tests.faults.http_proxy import HttpProxy
from nba_predictions_tests.faults.script import Kind
from nba_predictions_tests.waiting import CEILING_SECONDS

BIG = bytes(6_000_000)


class Echo:
    """A service that answers with the request and records it."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []
        self._lock = threading.Lock()

    def __call__(self, body: bytes) -> bytes:
        with self._lock:
            self.reached.append(body)
        return body


@pytest.fixture
def echo() -> Echo:
    return Echo()


class EchoHandler(grpc.GenericRpcHandler):
    def __init__(self, echo: Echo) -> None:
        self._echo = echo

    def service(self, handler_call_details):  # type: ignore[no-untyped-def]
        if handler_call_details.method == "/echo/Fail":
            return grpc.unary_unary_rpc_method_handler(
                lambda _, context: context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            )
        return grpc.unary_unary_rpc_method_handler(lambda body, _: self._echo(body))


@pytest.fixture
def grpc_proxy(echo: Echo) -> Iterator[GrpcProxy]:
    unlimited = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(64), handlers=[EchoHandler(echo)], options=unlimited)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with GrpcProxy(f"127.0.0.1:{port}") as proxy:
        yield proxy
    server.stop(None)


def call(
    proxy: GrpcProxy, body: bytes = b"x", method: str = "/echo/Do", timeout: float = CEILING_SECONDS
) -> bytes:
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(proxy.address, options=options) as channel:
        return bytes(channel.unary_unary(method)(body, timeout=timeout))


@pytest.fixture
def http_proxy(echo: Echo) -> Iterator[HttpProxy]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = echo(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response_only(200)
            host = self.headers["Host"]
            self.send_header("Location", f"http://{host}/next")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with HttpProxy(f"http://127.0.0.1:{server.server_port}") as proxy:
        yield proxy
    server.shutdown()
    server.server_close()


def test_grpc_calls_are_forwarded_and_counted(grpc_proxy: GrpcProxy, echo: Echo) -> None:
    assert call(grpc_proxy, BIG) == BIG
    with ThreadPoolExecutor(40) as pool:
        bodies = [str(n).encode() for n in range(40)]
        assert list(pool.map(lambda body: call(grpc_proxy, body), bodies)) == bodies
    assert grpc_proxy.script.count("Do$") == 41
    assert len(echo.reached) == 41


def test_grpc_errors_of_the_service_are_forwarded(grpc_proxy: GrpcProxy) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        call(grpc_proxy, method="/echo/Fail")
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert failed.value.details() == "no such thing"


@pytest.mark.parametrize(
    ("kind", "error", "code", "reached"),
    [
        (Kind.REFUSED, "aborted", grpc.StatusCode.ABORTED, 0),
        (Kind.REFUSED, "too_many_requests", grpc.StatusCode.RESOURCE_EXHAUSTED, 0),
        (Kind.REQUEST_CUT, "", grpc.StatusCode.UNAVAILABLE, 0),
        (Kind.ANSWER_LOST, "deadline_exceeded", grpc.StatusCode.DEADLINE_EXCEEDED, 1),
        (Kind.ANSWER_CUT, "", grpc.StatusCode.UNAVAILABLE, 1),
    ],
)
def test_a_grpc_fault_strikes_the_requested_number_of_times(
    grpc_proxy: GrpcProxy, echo: Echo, kind: Kind, error: str, code: grpc.StatusCode, reached: int
) -> None:
    with grpc_proxy.script.fault("/Do$", kind, error) as fault:
        with pytest.raises(grpc.RpcError) as failed:
            call(grpc_proxy)
        assert failed.value.code() is code
        assert len(echo.reached) == reached
        assert call(grpc_proxy) == b"x"
    assert fault.struck == 1


def test_grpc_calls_are_duplicated_and_delayed(grpc_proxy: GrpcProxy, echo: Echo) -> None:
    with grpc_proxy.script.fault("/Do$", Kind.DUPLICATED):
        assert call(grpc_proxy) == b"x"
    assert len(echo.reached) == 2
    with grpc_proxy.script.fault("/Do$", Kind.SLOW, seconds=0.3):
        started = time.monotonic()
        assert call(grpc_proxy) == b"x"
        assert time.monotonic() - started >= 0.3
    with grpc_proxy.script.fault("/Do$", Kind.SLOW, seconds=0.3):
        with pytest.raises(grpc.RpcError) as failed:
            call(grpc_proxy, timeout=0.1)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert call(grpc_proxy) == b"x"


def test_http_requests_are_forwarded_and_locations_point_to_the_proxy(
    http_proxy: HttpProxy, echo: Echo
) -> None:
    answer = requests.post(f"{http_proxy.url}/jobs?a=1", data=BIG, timeout=CEILING_SECONDS)
    assert answer.content == BIG
    assert answer.headers["Location"] == f"{http_proxy.url}/next"
    with ThreadPoolExecutor(40) as pool:
        bodies = [str(n).encode() for n in range(40)]
        answers = pool.map(
            lambda b: requests.post(http_proxy.url, data=b, timeout=CEILING_SECONDS).content, bodies
        )
        assert list(answers) == bodies
    assert http_proxy.script.count("^POST /jobs") == 1
    assert len(echo.reached) == 41


def test_chunked_http_bodies_are_forwarded(http_proxy: HttpProxy, echo: Echo) -> None:
    answer = requests.post(http_proxy.url, data=iter([b"ab", b"cd"]), timeout=CEILING_SECONDS)
    assert answer.content == b"abcd"


@pytest.mark.parametrize(
    ("kind", "error", "status", "reached"),
    [
        (Kind.REFUSED, "unavailable", 503, 0),
        (Kind.REFUSED, "too_many_requests", 429, 0),
        (Kind.ANSWER_LOST, "internal", 500, 1),
    ],
)
def test_an_http_fault_answers_with_an_error(
    http_proxy: HttpProxy, echo: Echo, kind: Kind, error: str, status: int, reached: int
) -> None:
    with http_proxy.script.fault("^POST", kind, error):
        answer = requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS)
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == status
        assert len(echo.reached) == reached
        assert requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS).ok


@pytest.mark.parametrize(("kind", "reached"), [(Kind.REQUEST_CUT, 0), (Kind.ANSWER_CUT, 1)])
def test_an_http_fault_breaks_the_connection(
    http_proxy: HttpProxy, echo: Echo, kind: Kind, reached: int
) -> None:
    with http_proxy.script.fault("^POST", kind), pytest.raises(requests.ConnectionError):
        requests.post(http_proxy.url, data=BIG, timeout=CEILING_SECONDS)
    assert len(echo.reached) == reached
    assert requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS).content == b"x"


def test_http_requests_are_duplicated_and_delayed(http_proxy: HttpProxy, echo: Echo) -> None:
    with http_proxy.script.fault("^POST", Kind.DUPLICATED):
        assert requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS).content == b"x"
    assert len(echo.reached) == 2
    slow = http_proxy.script.fault("^POST", Kind.SLOW, seconds=0.3)
    with slow, pytest.raises(requests.Timeout):
        requests.post(http_proxy.url, data=b"x", timeout=0.1)
    assert requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS).content == b"x"


def test_a_fault_that_never_strikes_is_an_error(http_proxy: HttpProxy) -> None:
    fault = http_proxy.script.fault("^DELETE", Kind.REFUSED)
    with pytest.raises(AssertionError, match="no call matched"), fault:
        requests.post(http_proxy.url, data=b"x", timeout=CEILING_SECONDS)
