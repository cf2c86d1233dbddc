"""Refuse requests to the Dagster UI that another web page may have caused.

Dagster's webserver has no login and executes GraphQL mutations for every page, also by GET. Any
page that an operator opens could therefore launch and terminate runs. The guard is ASGI middleware
in front of the webserver.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

#: The cookie, and the parameter of an address, with the token.
TOKEN_COOKIE = "nba_predictions_ui_token"
TOKEN_PARAMETER = "token"
#: Probes request this page by the address of the container and without a token. It shows versions.
PROBED = "/server_info"
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_READS = ("GET", "HEAD")


@dataclass(frozen=True)
class Guard:
    """Middleware around `app`.

    `url` is the address of the UI in a browser; its host and its origin are allowed. `hosts` are
    other host names of the UI, without a port. With a `token`, every request needs it.
    """

    app: ASGIApp
    url: str
    hosts: Collection[str] = ()
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        method = "WebSocket" if scope["type"] == "websocket" else scope["method"]
        # Not `request.url`, which begins with what the client claims to be the host.
        if method in _READS and scope["path"] == PROBED:
            await self.app(scope, receive, send)
            return
        refusal = (
            self._wrong_host(request)
            or _wrong_method(request, method)
            or self._foreign(request, method)
            or _wrong_content(request, method)
            or self._without_token(request, method)
        )
        if refusal is not None:
            # A WebSocket that is closed before it is accepted gets the status 403.
            answer = WebSocketClose() if method == "WebSocket" else refusal
            await answer(scope, receive, send)
        elif self.token is not None and TOKEN_PARAMETER in request.query_params:
            await self._move_token_to_cookie(request)(scope, receive, send)
        else:
            await self.app(scope, receive, _without_frames(send))

    def _wrong_host(self, request: HTTPConnection) -> Response | None:
        """Refuse unknown names of this server.

        The name of a hostile page can resolve to this server ("DNS rebinding"). The browser then
        believes that the page and the UI have the same origin.
        """
        name = _only(request, "host")
        own = {_host(urlsplit(self.url).netloc), *(host.lower() for host in self.hosts)}
        if _host(name) in _LOCAL | own - {""}:
            return None
        return _refuse(
            403,
            f"this is not a name of the Dagster UI: {name!r}; open {self.url}, or add the name to "
            "NBA_PREDICTIONS_UI_HOSTS",
        )

    def _foreign(self, request: HTTPConnection, method: str) -> Response | None:
        """Refuse requests from pages of other origins, except that a link may open a page.

        Browsers send Origin with each POST and WebSocket, and Sec-Fetch-Site with each request to
        a local or an https address. Other programs send neither.
        """
        origin, site = _only(request, "origin"), request.headers.get("sec-fetch-site", "")
        if origin:
            own = urlsplit(self.url)
            is_own = origin == f"{own.scheme}://{own.netloc}".lower() or (
                origin.partition("://")[2] == _only(request, "host")
            )
        else:
            is_own = site in ("", "same-origin", "none")
        opens_page = (
            method in _READS
            and request.headers.get("sec-fetch-mode") == "navigate"
            and request.headers.get("sec-fetch-dest") == "document"
        )
        if is_own or opens_page:
            return None
        return _refuse(403, f"another page sent this request ({origin or site}); open {self.url}")

    def _without_token(self, request: HTTPConnection, method: str) -> Response | None:
        if self.token is None:
            return None
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        sent = [request.cookies.get(TOKEN_COOKIE, ""), bearer if scheme.lower() == "bearer" else ""]
        if method in _READS:
            sent.append(request.query_params.get(TOKEN_PARAMETER, ""))
        if any(hmac.compare_digest(each.encode(), self.token.encode()) for each in sent):
            return None
        return _refuse(
            401,
            f"the token is missing or wrong; open {self.url}?{TOKEN_PARAMETER}=TOKEN once, or send "
            "the header Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )

    def _move_token_to_cookie(self, request: HTTPConnection) -> Response:
        """Redirect to the same page without the token, so that the address can be shared."""
        parameters = request.query_params.multi_items()
        rest = urlencode([each for each in parameters if each[0] != TOKEN_PARAMETER])
        # A second slash would begin the name of another host.
        page = "/" + quote(request.scope["path"].lstrip("/\\")) + (f"?{rest}" if rest else "")
        answer = RedirectResponse(page, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            TOKEN_COOKIE,
            str(self.token),
            httponly=True,
            samesite="lax",
            secure=self.url.startswith("https:"),
        )
        return answer


def _wrong_method(request: HTTPConnection, method: str) -> Response | None:
    if method not in (*_READS, "POST", "WebSocket"):
        return _refuse(405, f"the Dagster UI does not use the method {method}")
    # Without a query, Dagster answers with a page in which a person writes queries.
    if method in _READS and request.scope["path"] == "/graphql" and "query" in request.query_params:
        return _refuse(405, "send GraphQL by POST; a link must not be able to start anything")
    return None


def _wrong_content(request: HTTPConnection, method: str) -> Response | None:
    """Refuse the content types that a page may send to another origin without its permission."""
    sent = _only(request, "content-type")
    if method != "POST" or sent.partition(";")[0].strip() == "application/json":
        return None
    return _refuse(415, f"the content type {sent!r} is not accepted; send application/json")


def _only(request: HTTPConnection, header: str) -> str:
    """Return a header in lower case. Several of the same name are joined and match no rule."""
    return ",".join(request.headers.getlist(header)).lower()


def _host(netloc: str) -> str:
    """Return the host of `host:port`; empty if it is neither a name nor an address."""
    found = _HOST.fullmatch(netloc.lower())
    return found[1] if found else ""


def _refuse(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"nba-predictions: {reason}\n", status, headers)


def _without_frames(send: Send) -> Send:
    """Return `send` that tells browsers not to show the UI in a frame of another page."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Frame-Options"] = "SAMEORIGIN"
        await send(message)

    return send_with_header
