"""Requests and answers, apart from their transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

JSON = "application/json; charset=utf-8"
HTML = "text/html"
XML = "application/xml"
PDF = "application/pdf"

ACCESS_DENIED_HTML = (
    "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \n"
    "You don't have permission to access this page on this server.<P>\n</BODY>\n</HTML>\n"
)
ACCESS_DENIED_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)


class Drawn(Protocol):
    """A value that is not JSON and makes its own bytes."""

    def content(self) -> bytes: ...


@dataclass(frozen=True)
class Request:
    """A request to one provider. `path` begins after the prefix of the provider."""

    provider: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    def get(self, name: str, default: str = "") -> str:
        """Return a query parameter; the first one if there are several."""
        return next((value for key, value in self.query if key == name), default)

    @property
    def is_from_browser(self) -> bool:
        return "Mozilla/5.0" in self.headers.get("user-agent", "")

    @property
    def is_from_nba_site(self) -> bool:
        return self.headers.get("referer") == "https://www.nba.com/"


@dataclass(frozen=True)
class Answer:
    """An answer. `value` is what its body says; text and bytes are sent unchanged.

    Attributes:
        cost: the credits of The Odds API.
        hangs: the connection stays open without an answer.
        promised: the Content-Length, if it is not that of the body.
        encoding: the Content-Encoding, if the body is not encoded as the client accepts it.
    """

    value: Any = None
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cost: int = 0
    hangs: bool = False
    promised: int | None = None
    encoding: str | None = None

    @cached_property
    def content(self) -> bytes:
        if isinstance(self.value, bytes):
            return self.value
        if isinstance(self.value, str):
            return self.value.encode()
        if self.content_type == PDF:
            drawn: Drawn = self.value
            return drawn.content()
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":")).encode()
