"""Which requests the guard of the Dagster UI passes on. `test_webserver.py` attacks a real one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nba_predictions.orchestration.ui_guard import TOKEN_COOKIE, Guard

URL = "https://ui.example.com"
TOKEN = "9f2c61d08b7e4a35"
JSON = {"content-type": "application/json"}
PAGE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
Headers = list[tuple[str, str]]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": b"the UI"})


def ask(
    method: str,
    target: str,
    headers: dict[str, str] | Headers,
    *,
    host: str | None = "localhost:3000",
    token: str | None = None,
) -> tuple[int, dict[str, str], str]:
    """Return the status, the headers and the body; 101 for a WebSocket that is accepted."""
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    pairs += [("host", host)] if host is not None else []
    path, _, query = target.partition("?")
    scope = {
        "type": "websocket" if method == "WebSocket" else "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
        "server": ("127.0.0.1", 3000),
        "scheme": "http",
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(_app, URL, frozenset({"Other.example.com"}), token)
    asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    first = sent[0]
    if first["type"].startswith("websocket"):
        return (101 if first["type"] == "websocket.accept" else 403), {}, ""
    named = {name.decode(): value.decode() for name, value in first["headers"]}
    return first["status"], named, b"".join(m.get("body", b"") for m in sent[1:]).decode()


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/runs", {}),
        ("HEAD", "/runs", {}),
        ("GET", "/graphql", {}),
        ("GET", "/runs?query=tag", {}),
        ("GET", "/logs/run/compute_logs/key.out", {"sec-fetch-site": "same-origin"}),
        ("GET", "/runs/1", PAGE),
        ("POST", "/graphql", JSON),
        ("POST", "/graphql", {"content-type": "application/json; charset=utf-8"}),
        ("POST", "/graphql", {**JSON, "origin": "http://localhost:3000"}),
        ("POST", "/graphql", {**JSON, "origin": URL}),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "same-origin"}),
        ("POST", "/report_asset_materialization/a", JSON),
        ("WebSocket", "/graphql", {}),
        ("WebSocket", "/graphql", {"origin": "http://localhost:3000"}),
    ],
)
def test_the_ui_and_programs_are_served(method: str, target: str, headers: dict[str, str]) -> None:
    assert ask(method, target, headers)[0] in (200, 101)


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        # A link, an image or a form without a method.
        ("GET", "/graphql?query=mutation{x}", {}, 405),
        ("GET", "/graphql?query=mutation{x}", PAGE, 405),
        ("HEAD", "/graphql?a=1&query={x}", {}, 405),
        ("GET", "/graphql?query=&query=mutation{x}", {}, 405),
        # A form: a browser sends these content types to other origins without permission.
        ("POST", "/graphql?query=mutation{x}", {}, 415),
        ("POST", "/graphql", {"content-type": "text/plain"}, 415),
        ("POST", "/graphql", {"content-type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", {"content-type": "multipart/form-data; boundary=x"}, 415),
        ("POST", "/report_asset_check/a", {"content-type": "text/plain"}, 415),
        # A script of another page, also of another port or protocol.
        ("POST", "/graphql", {**JSON, "origin": "https://evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://localhost:8000"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://ui.example.com"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "null"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://localhost:3000.evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "cross-site"}, 403),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "same-site"}, 403),
        ("POST", "/graphql", {**JSON, **PAGE}, 403),
        ("POST", "/report_asset_observation/a", {**JSON, "origin": "https://evil.example"}, 403),
        ("WebSocket", "/graphql", {"origin": "https://evil.example"}, 403),
        # What another page embeds: an image, a script, a frame.
        ("GET", "/logs/run/key.out", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/runs", {**PAGE, "sec-fetch-dest": "iframe"}, 403),
        ("GET", "/notebook?path=a.ipynb", {"origin": "https://evil.example"}, 403),
        # Permission for a page of another origin, and methods that no page of the UI uses.
        ("OPTIONS", "/graphql", {}, 405),
        ("PUT", "/graphql", JSON, 405),
        ("DELETE", "/runs", {}, 405),
    ],
)
def test_what_another_page_may_cause_is_refused(
    method: str, target: str, headers: dict[str, str], status: int
) -> None:
    answered, _, body = ask(method, target, headers)
    assert answered == status
    assert method == "WebSocket" or body.startswith("nba-predictions: ")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:3000", "127.0.0.1:9", "[::1]:3000", "ui.example.com"),
        *("ui.example.com:443", "other.example.com"),
    ],
)
def test_the_names_of_the_ui_are_known(host: str) -> None:
    assert ask("GET", "/", {}, host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:3000", "localhost.evil.example", "localhost.", "", None),
        *("localhost@evil.example", "evil.example@localhost", "localhost:3000, evil.example"),
        *("0.0.0.0:3000", "::1", "10.1.2.3:3000", "localhost/server_info?"),
    ],
)
def test_other_names_are_refused_but_for_probes(host: str | None) -> None:
    for method in ("GET", "POST", "WebSocket"):
        # A page that reached this server under its own name is of the same origin.
        headers = {**JSON, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
        assert ask(method, "/graphql", headers, host=host)[0] == 403
    assert ask("GET", "/server_info", {}, host=host)[0] == 200
    assert ask("POST", "/server_info", JSON, host=host)[0] == 403


def test_a_second_header_of_the_same_name_does_not_help() -> None:
    own = [("origin", "http://localhost:3000"), ("origin", "https://evil.example")]
    assert ask("POST", "/graphql", [*JSON.items(), *own])[0] == 403
    assert ask("GET", "/", [("host", "evil.example")])[0] == 403
    types = [("content-type", "application/json"), ("content-type", "text/plain")]
    assert ask("POST", "/graphql", types)[0] == 415


def test_the_ui_is_not_shown_in_a_frame() -> None:
    _, headers, body = ask("GET", "/", {})
    assert (headers["x-app"], headers["x-frame-options"], body) == ("1", "SAMEORIGIN", "the UI")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"{TOKEN_COOKIE}=wrong"},
        {"cookie": f"other={TOKEN}"},
    ],
)
def test_with_a_token_every_request_needs_it(headers: dict[str, str]) -> None:
    for method, target in (("GET", "/"), ("GET", "/?token=wrong"), ("GET", "/graphql")):
        status, answered, body = ask(method, target, headers, token=TOKEN)
        assert (status, answered["www-authenticate"]) == (401, "Bearer")
        assert TOKEN not in body
    # The token in an address only opens pages.
    target = f"/graphql?token={TOKEN}"
    assert ask("POST", target, {**JSON, **headers}, token=TOKEN)[0] == 401
    assert ask("WebSocket", target, headers, token=TOKEN)[0] == 403
    assert ask("GET", "/server_info", headers, token=TOKEN)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}"},
        {"cookie": f"a=b; {TOKEN_COOKIE}={TOKEN}"},
    ],
)
def test_a_token_is_sent_in_a_header_or_a_cookie(headers: dict[str, str]) -> None:
    assert ask("GET", "/", headers, token=TOKEN)[0] == 200
    assert ask("POST", "/graphql", {**JSON, **headers}, token=TOKEN)[0] == 200
    assert ask("WebSocket", "/graphql", headers, token=TOKEN)[0] == 101
    # It does not replace the other rules.
    foreign = {**JSON, **headers, "origin": "https://evil.example"}
    assert ask("POST", "/graphql", foreign, token=TOKEN)[0] == 403


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (f"/?token={TOKEN}", "/"),
        (f"/runs?tab=all&token={TOKEN}&q=a%26b", "/runs?tab=all&q=a%26b"),
        (f"//evil.example/?token={TOKEN}", "/evil.example/"),
        (f"/\\evil.example?token={TOKEN}", "/evil.example"),
    ],
)
def test_the_token_in_an_address_moves_to_a_cookie(target: str, location: str) -> None:
    status, headers, _ = ask("GET", target, {}, token=TOKEN)
    assert (status, headers["location"]) == (303, location)
    cookie, *attributes = headers["set-cookie"].lower().split("; ")
    assert cookie == f"{TOKEN_COOKIE}={TOKEN}"
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= set(attributes)
