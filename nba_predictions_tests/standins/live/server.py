"""The HTTP server of the stand-in: it routes, records, and breaks answers on request."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nba_predictions.domain.clock import utc_now
from nba_predictions_tests.standins.live.cdn import Cdn
from nba_predictions_tests.standins.live.day import Moment
from nba_predictions_tests.standins.live.espn import Espn
from nba_predictions_tests.standins.live.faults import Fault, struck
from nba_predictions_tests.standins.live.injuries import Injuries
from nba_predictions_tests.standins.live.messages import HTML, PDF, Answer, Request
from nba_predictions_tests.standins.live.odds import Account, Odds
from nba_predictions_tests.standins.live.season import Seasons, SimulatedSeasons
from nba_predictions_tests.standins.live.stats import Stats

API_KEY = "standin-key"
#: The path that moves the clock and sets faults.
CONTROL = "/_standin"
#: The provider of each setting with a base URL.
SETTINGS = {
    "nba_stats_url": "stats",
    "nba_cdn_url": "cdn",
    "espn_url": "espn",
    "odds_api_url": "odds",
    "injury_report_url": "injury",
}


@dataclass(frozen=True)
class Seen:
    """A request that the server received, and how it answered.

    Attributes:
        received: the time of the monotonic clock, in seconds.
        at: the moment of the league.
        status: that of the answer, None if the request hangs.
        faults: the names of the faults that struck it.
    """

    received: float
    at: datetime
    provider: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    status: int | None
    cost: int
    faults: tuple[str, ...] = ()


class LiveStandIn:
    """The live services on one port of this machine. Use it as a context manager.

    Args:
        seasons: the league; by default the simulated one.
        now: a moment at which the clock stands, or a clock; by default that of the pipeline.
        port: the port, 0 for a free one.
        hang_seconds: how long a request without an answer stays open.
        credits_per_month: the credits of the key of The Odds API.
        is_paid: whether its plan has the history.
        corrections: whether one box score of each day is wrong until 12:00 Eastern of the next day.
        seed: of the faults that strike at random.
    """

    def __init__(
        self,
        seasons: Seasons | None = None,
        now: datetime | Callable[[], datetime] = utc_now,
        *,
        port: int = 0,
        hang_seconds: float = 60.0,
        credits_per_month: int = 500,
        is_paid: bool = True,
        corrections: bool = True,
        seed: int = 0,
    ) -> None:
        self.seasons = seasons or SimulatedSeasons()
        self._clock: Callable[[], datetime] = utc_now
        self.set_clock(now)
        self.hang_seconds = hang_seconds
        self.corrections = corrections
        self.account = Account(API_KEY, credits_per_month, is_paid)
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._odds = Odds(self.account)
        self._services: dict[str, Any] = {
            "stats": Stats(),
            "cdn": Cdn(),
            "espn": Espn(),
            "odds": self._odds,
            "injury": Injuries(),
        }
        self._stopped = threading.Event()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="stand-in", daemon=True
        )

    def __enter__(self) -> LiveStandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def urls(self) -> dict[str, str]:
        """Return the base URL for each setting."""
        return {setting: f"{self.url}/{prefix}" for setting, prefix in SETTINGS.items()}

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that direct the product to the stand-in."""
        settings = {**self.urls, "odds_api_key": API_KEY}
        return {f"NBA_PREDICTIONS_{name.upper()}": value for name, value in settings.items()}

    @property
    def now(self) -> datetime:
        return self._clock()

    @now.setter
    def now(self, moment: datetime) -> None:
        self.set_clock(moment)

    def set_clock(self, now: datetime | Callable[[], datetime]) -> None:
        """Stop the clock at a moment, or use another clock.

        Raises:
            ValueError: the moment has no time zone.
        """
        if not isinstance(now, datetime):
            self._clock = now
            return
        if now.tzinfo is None:
            raise ValueError(f"{now} has no time zone")
        self._clock = lambda: now

    @property
    def moment(self) -> Moment:
        """Return the league at the moment of the clock."""
        return Moment(self.now, self.seasons, self.corrections)

    @property
    def credits_used(self) -> int:
        return self.account.used

    def requests_to(self, provider: str, part: str = "") -> list[Seen]:
        """Return the requests to a provider whose path has a part."""
        return [r for r in list(self.requests) if r.provider == provider and part in r.path]

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request, and record both."""
        received = time.monotonic()
        moment = self.moment
        service = self._services.get(request.provider)
        names: tuple[str, ...] = ()
        if service is None:
            answer = Answer("<h1>404 Not Found</h1>", 404, HTML)
        else:
            with self._lock:
                answer, names = struck(
                    self.faults, request, moment, lambda: service.answer(request, moment), self._rng
                )
        if request.provider == "odds":
            answer = self._odds.settle(answer)
        seen = Seen(
            received,
            moment.now,
            request.provider,
            request.path,
            request.query,
            request.headers,
            None if answer.hangs else answer.status,
            answer.cost,
            names,
        )
        self.requests.append(seen)
        return answer

    def control(self, body: Mapping[str, Any]) -> None:
        """Apply `{"now": "...", "faults": [...]}`."""
        if "now" in body:
            self.now = datetime.fromisoformat(body["now"].replace("Z", "+00:00"))
        if "faults" in body:
            self.faults = [Fault(**fault) for fault in body["faults"]]

    def state(self) -> dict[str, Any]:
        """Return what GET of the control path answers."""
        return {
            "now": self.now.isoformat(),
            "faults": [f"{fault.name} at {fault.provider}" for fault in self.faults],
            "requests": len(self.requests),
            "credits_used": self.credits_used,
        }

    def wait_while_hanging(self) -> None:
        self._stopped.wait(self.hang_seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many clients at once must not be refused.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], standin: LiveStandIn) -> None:
        self.standin = standin
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing if a client closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are sent together. The second of two packets would wait for an answer.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == CONTROL:
            self._send(Answer(self.server.standin.state()))
            return
        _, provider, *rest = f"{parts.path}/".split("/", 2)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = "/".join(rest).strip("/")
        answer = self.server.standin.respond(Request(provider, path, query, headers))
        if answer.hangs:
            self.server.standin.wait_while_hanging()
            self.close_connection = True
            return
        self._send(answer)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if urlsplit(self.path).path != CONTROL:
            self._send(Answer("<h1>404 Not Found</h1>", 404, HTML))
            return
        try:
            self.server.standin.control(json.loads(body))
        except (TypeError, ValueError) as error:
            self._send(Answer({"error": str(error)}, 400))
            return
        self._send(Answer(self.server.standin.state()))

    def _send(self, answer: Answer) -> None:
        content = answer.content
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        accepted = self.headers.get("Accept-Encoding", "")
        if answer.encoding is not None:
            self.send_header("Content-Encoding", answer.encoding)
        elif "gzip" in accepted and answer.content_type != PDF and answer.promised is None:
            content = gzip.compress(content, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        promised = len(content) if answer.promised is None else answer.promised
        self.send_header("Content-Length", str(promised))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        if promised != len(content):
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log nothing."""
