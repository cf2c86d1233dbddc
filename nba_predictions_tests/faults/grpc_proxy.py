"""A gRPC proxy that forwards calls as bytes and injects faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import grpc

from nba_predictions_tests.faults.script import ERRORS, Fault, Kind, Script

_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class GrpcProxy(grpc.GenericRpcHandler):
    """Listen on `address` and forward to `target` (`host:port`). Calls are named by method."""

    def __init__(self, target: str) -> None:
        self.script = Script()
        self._channel = grpc.insecure_channel(target, options=_UNLIMITED)
        self._server = grpc.server(ThreadPoolExecutor(96), handlers=[self], options=_UNLIMITED)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def __enter__(self) -> GrpcProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()
        self._channel.close()

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        # On the wire, a unary call is a stream of one message.
        return grpc.stream_stream_rpc_method_handler(self._forwarder(handler_call_details))

    def _forwarder(self, details: Any) -> Callable[[Iterator[bytes], Any], Iterator[bytes]]:
        method = details.method
        metadata = [
            (key, value)
            for key, value in details.invocation_metadata
            if not key.startswith(("grpc-", ":")) and key != "user-agent"
        ]

        def upstream(requests: Iterator[bytes], context: Any) -> Any:
            call = self._channel.stream_stream(method)
            return call(requests, timeout=context.time_remaining(), metadata=metadata)

        def forward(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            fault = self.script.record_call(method)
            try:
                if fault is None:
                    yield from _until_cancelled(upstream(requests, context), context)
                else:
                    yield from _faulty(fault, requests, context, upstream)
            except grpc.RpcError as error:
                if context.is_active():
                    context.set_trailing_metadata(error.trailing_metadata() or ())
                    context.abort(error.code(), error.details())

        return forward


def _until_cancelled(answers: Any, context: Any) -> Iterator[bytes]:
    context.add_callback(answers.cancel)
    yield from answers


def _faulty(
    fault: Fault, requests: Iterator[bytes], context: Any, upstream: Any
) -> Iterator[bytes]:
    first = next(requests)
    if fault.kind is Kind.SLOW:
        time.sleep(fault.seconds)
        yield from _until_cancelled(upstream(chain([first], requests), context), context)
        return
    if fault.kind is Kind.DUPLICATED:
        try:
            list(upstream(iter([first]), context))
        except grpc.RpcError:
            """The client gets the answer to the second delivery."""
        yield from upstream(iter([first]), context)
        return
    if fault.kind in (Kind.ANSWER_LOST, Kind.ANSWER_CUT):
        list(upstream(iter([first]), context))
    # A gRPC client reports a broken connection as UNAVAILABLE, before and after the request.
    cut = fault.kind in (Kind.REQUEST_CUT, Kind.ANSWER_CUT)
    code = ERRORS["unavailable" if cut else fault.error].grpc_status_code
    context.abort(code, f"injected: {fault.kind.value}")
