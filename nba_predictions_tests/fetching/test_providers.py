"""The requests exactly as the services document them, and what each answer is judged as."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.client import Judgment
from nba_predictions.fetching.providers import espn, injury_report, nba_cdn, nba_stats, odds_api
from nba_predictions.fetching.providers.bodies import moment_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome
from nba_predictions_tests.inputs.importing import reports
from nba_predictions_tests.standins.live import season

HEADERS = nba_stats.HEADERS
DAY = date(2026, 11, 25)

LOG_HEADERS = list(season.LOG_COLUMNS)
LOG: Any = {
    "resource": "leaguegamelog",
    "resultSets": [
        {"name": "LeagueGameLog", "headers": LOG_HEADERS, "rowSet": [[0] * len(LOG_HEADERS)] * 3}
    ],
}
PLAYERS: Any = {
    "resultSets": [
        {
            "name": "PlayerIndex",
            "headers": ["PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "TEAM_ABBREVIATION"],
            "rowSet": [[1, "Example", "Ann", "BOS"]],
        }
    ]
}
SCHEDULE: Any = {
    "meta": {"version": 1, "time": "2026-11-25T10:11:02.112Z"},
    "leagueSchedule": {
        "seasonYear": "2026-27",
        "gameDates": [
            {
                "gameDate": f"11/{day}/2026 00:00:00",
                "games": [
                    {"gameId": f"{kind}2600{day}", "gameDateEst": f"2026-11-{day}T00:00:00Z"}
                ],
            }
            for day, kind in ((24, "0022"), (25, "0022"), (26, "0012"), (27, "0062"))
        ],
    },
}
EVENTS: Any = [
    {
        "id": "0123456789abcdef0123456789abcdef",
        "commence_time": "2026-11-26T00:30:00Z",
        "home_team": "Boston Celtics",
        "away_team": "Los Angeles Clippers",
    }
]
ODDS: Any = {
    **EVENTS[0],
    "bookmakers": [
        {
            "key": book,
            "markets": [
                {
                    "key": "player_points",
                    "last_update": f"2026-11-25T16:31:{second}Z",
                    "outcomes": [{"name": "Over", "description": "A", "price": 1, "point": 2.5}],
                }
            ],
        }
        for book, second in (("one", 29), ("two", 31))
    ],
}
BOARD: Any = {
    "events": [
        {
            "id": "401",
            "status": {"type": {"completed": True}},
            "competitions": [
                {
                    "competitors": [
                        {"homeAway": "home", "team": {"abbreviation": "NY"}},
                        {"homeAway": "away", "team": {"abbreviation": "BOS"}},
                    ]
                }
            ],
        }
    ]
}
SUMMARY: Any = {"boxscore": {"players": [{}, {}]}, "header": {}}
INJURIES: Any = {"status": "success", "injuries": []}

ASKS = {
    "log": (nba_stats.game_log("http://x", "2026-27", "cup", HEADERS, 3), LOG),
    "players": (nba_stats.players("http://x", "2026-27", HEADERS), PLAYERS),
    "schedule": (nba_cdn.schedule("http://x", "2026-27", HEADERS, 4), SCHEDULE),
    "events": (odds_api.events("http://x", "KEY", DAY), EVENTS),
    "odds": (odds_api.odds("http://x", "KEY", DAY, "e1", ""), ODDS),
    "scoreboard": (espn.scoreboard("http://x", DAY, HEADERS), BOARD),
    "summary": (espn.summary("http://x", DAY, "401", HEADERS), SUMMARY),
    "injuries": (espn.injuries("http://x", HEADERS), INJURIES),
}


def judged(name: str, value: Any, status: int = 200) -> Judgment:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ASKS[name][0].judge(Answer(status, body))


class TestAddresses:
    def test_season_log(self) -> None:
        """In alphabetical order, with the empty ones."""
        ask = nba_stats.game_log("http://x/stats", "2026-27", "regular-season", HEADERS, 0)
        assert ask.url == (
            "http://x/stats/leaguegamelog?Counter=0&DateFrom=&DateTo=&Direction=ASC&LeagueID=00"
            "&PlayerOrTeam=P&Season=2026-27&SeasonType=Regular+Season&Sorter=DATE"
        )
        assert ask.resource.path == "nba_stats/leaguegamelog/2026-27.regular-season"

    def test_season_types(self) -> None:
        types = {
            kind: dict(
                pair.split("=")
                for pair in urlsplit(
                    nba_stats.game_log("http://x", "2026-27", kind, HEADERS, 0).url
                ).query.split("&")
            )["SeasonType"]
            for kind in nba_stats.SEASON_TYPES
        }
        assert types == {
            "regular-season": "Regular+Season",
            "playoffs": "Playoffs",
            "play-in": "PlayIn",
            "cup": "IST",
        }

    def test_players(self) -> None:
        ask = ASKS["players"][0]
        names = [pair.split("=")[0] for pair in urlsplit(ask.url).query.split("&")]
        assert names == sorted(names)
        assert "LeagueID=00" in ask.url
        assert "Season=2026-27" in ask.url
        assert "Historical=&" in ask.url
        assert ask.resource.path == "nba_stats/playerindex/2026-27"

    def test_schedule(self) -> None:
        ask = ASKS["schedule"][0]
        assert ask.url == "http://x/staticData/scheduleLeagueV2.json"
        assert ask.resource.path == "nba_cdn/schedule/2026-27"

    @pytest.mark.parametrize(
        ("day", "first", "last"),
        [
            (date(2026, 11, 25), "2026-11-25T05:00:00Z", "2026-11-26T04:59:59Z"),
            (date(2026, 6, 1), "2026-06-01T04:00:00Z", "2026-06-02T03:59:59Z"),
            (date(2026, 11, 1), "2026-11-01T04:00:00Z", "2026-11-02T04:59:59Z"),
            (date(2027, 3, 14), "2027-03-14T05:00:00Z", "2027-03-15T03:59:59Z"),
        ],
    )
    def test_events(self, day: date, first: str, last: str) -> None:
        ask = odds_api.events("http://x/v4", "a key", day)
        # The service accepts an encoded colon.
        assert ask.url.replace("%3A", ":") == (
            "http://x/v4/sports/basketball_nba/events?apiKey=a+key"
            f"&commenceTimeFrom={first}&commenceTimeTo={last}&dateFormat=iso"
        )
        assert ask.cost == 0
        assert ask.resource.path == f"odds_api/events/{day}"

    def test_odds(self) -> None:
        ask = odds_api.odds("http://x/v4", "key", DAY, "0123", "")
        assert ask.url == (
            "http://x/v4/sports/basketball_nba/events/0123/odds?apiKey=key&regions=us"
            "&markets=player_points&oddsFormat=american&dateFormat=iso"
        )
        assert ask.cost == 1
        assert ask.resource.path == "odds_api/odds/2026-11-25.0123"
        ask = odds_api.odds("http://x/v4", "key", DAY, "0123", "draftkings,fanduel")
        assert "bookmakers=draftkings%2Cfanduel&markets" in ask.url
        assert "regions" not in ask.url

    def test_espn(self) -> None:
        assert ASKS["scoreboard"][0].url == "http://x/scoreboard?dates=20261125"
        assert ASKS["summary"][0].url == "http://x/summary?event=401"
        assert ASKS["summary"][0].resource.path == "espn/summary/2026-11-25.401"
        assert ASKS["injuries"][0].resource.path == "espn/injuries/current"

    def test_headers(self) -> None:
        for name, (ask, _) in ASKS.items():
            assert dict(ask.headers) == ({} if name in ("events", "odds") else dict(HEADERS))
        assert HEADERS["Referer"] == "https://www.nba.com/"
        assert HEADERS["Origin"] == "https://www.nba.com"
        assert "Mozilla/5.0" in HEADERS["User-Agent"]
        assert "br" not in HEADERS["Accept-Encoding"]


class TestReports:
    @pytest.mark.parametrize(
        ("slot", "name"),
        [
            ((2026, 11, 25, 0, 0), "2026-11-25_12_00AM"),
            ((2026, 11, 25, 0, 15), "2026-11-25_12_15AM"),
            ((2026, 11, 25, 9, 45), "2026-11-25_09_45AM"),
            ((2026, 11, 25, 12, 0), "2026-11-25_12_00PM"),
            ((2026, 11, 25, 13, 0), "2026-11-25_01_00PM"),
            ((2026, 11, 25, 23, 45), "2026-11-25_11_45PM"),
            ((2025, 12, 22, 9, 0), "2025-12-22_09_00AM"),
            ((2025, 12, 22, 8, 30), "2025-12-22_08AM"),
            ((2025, 1, 10, 17, 30), "2025-01-10_05PM"),
            ((2025, 1, 10, 0, 30), "2025-01-10_12AM"),
        ],
    )
    def test_names(self, slot: tuple[int, ...], name: str) -> None:
        moment = datetime(*slot, tzinfo=EASTERN)  # type: ignore[misc, arg-type]
        ask = injury_report.report("http://x", moment, HEADERS)
        assert ask.url == f"http://x/Injury-Report_{name}.pdf"
        assert ask.extension == "pdf"
        assert ask.resource.key == f"{moment:%Y-%m-%d.%H_%M}"

    def slots(self, *now: int, hours: float = 8.0, fold: int = 0) -> list[datetime]:
        moment = datetime(*now, tzinfo=EASTERN, fold=fold)  # type: ignore[misc, arg-type]
        return list(injury_report.slots(moment.astimezone(timezone.utc), hours))

    def test_slots_go_back_by_a_quarter(self) -> None:
        found = self.slots(2026, 11, 25, 17, 44, 59)
        assert [f"{slot:%H:%M}" for slot in found[:3]] == ["17:30", "17:15", "17:00"]
        assert len(found) == 32
        assert f"{found[-1]:%H:%M}" == "09:45"

    def test_slots_around_midnight(self) -> None:
        keys = [injury_report.key_of(slot) for slot in self.slots(2026, 11, 26, 0, 5)][:2]
        assert keys == ["2026-11-26.00_00", "2026-11-25.23_45"]

    def test_slots_by_the_hour(self) -> None:
        found = self.slots(2025, 1, 10, 17, 29)
        assert [f"{slot:%H:%M}" for slot in found] == [
            f"{hour}:30" for hour in (16, 15, 14, 13, 12, 11, 10, "09")
        ]

    @pytest.mark.parametrize(("day", "hours"), [((2026, 11, 1), 25), ((2027, 3, 14), 23)])
    def test_slots_when_the_clocks_change(self, day: tuple[int, int, int], hours: int) -> None:
        found = self.slots(*day, 6, hours=8)
        keys = [injury_report.key_of(slot) for slot in found]
        assert len(keys) == len(set(keys))
        moments = [slot.astimezone(timezone.utc) for slot in found]
        assert moments == sorted(moments, reverse=True)
        of_day = [key for key in keys if key.startswith(date(*day).isoformat())]
        # 00:00 to 06:00. An hour is missing, or has its names twice.
        assert len(of_day) == (25 if hours == 25 else 21)
        assert any("02_" in key for key in of_day) == (hours == 25)

    def judged(self, slot: datetime, body: bytes | None = None, status: int = 200) -> Judgment:
        body = reports.draw(reports.PAGES) if body is None else body
        return injury_report.report("http://x", slot, HEADERS).judge(Answer(status, body))

    SLOT = datetime(2025, 1, 10, 17, 30, tzinfo=EASTERN)

    @pytest.mark.parametrize("minutes", [-45, 0, 45])
    def test_a_report(self, minutes: int) -> None:
        judgment = self.judged(self.SLOT + timedelta(minutes=minutes))
        assert judgment.outcome is Outcome.NEW
        assert judgment.source_time == self.SLOT

    @pytest.mark.parametrize("minutes", [-46, 46, 24 * 60])
    def test_a_report_of_another_time(self, minutes: int) -> None:
        judgment = self.judged(self.SLOT + timedelta(minutes=minutes))
        assert judgment.outcome is Outcome.REFUSED
        assert judgment.error == "it is the report of 2025-01-10 17:30 Eastern"

    def test_both_reports_of_the_hour_that_is_repeated(self) -> None:
        body = reports.draw(reports.PAGES, "Injury Report: 11/01/26 01:30 AM")
        for fold in (0, 1):
            slot = datetime(2026, 11, 1, 1, 30, tzinfo=EASTERN, fold=fold)
            assert self.judged(slot, body).outcome is Outcome.NEW

    @pytest.mark.parametrize(
        ("status", "body", "outcome", "again"),
        [
            (403, b"<Error/>", Outcome.NOT_THERE, False),
            (404, b"", Outcome.NOT_THERE, False),
            (500, b"", Outcome.FAILED, True),
            (401, b"", Outcome.REFUSED, False),
            (200, b"<html>", Outcome.BROKEN, True),
            (200, b"", Outcome.BROKEN, True),
            (200, b"%PDF-1.7 damaged", Outcome.BROKEN, False),
        ],
    )
    def test_other_answers(self, status: int, body: bytes, outcome: Outcome, again: bool) -> None:
        judgment = self.judged(self.SLOT, body, status)
        assert (judgment.outcome, judgment.again) == (outcome, again)


class TestJudges:
    @pytest.mark.parametrize("name", ASKS)
    def test_the_documented_answer(self, name: str) -> None:
        judgment = judged(name, ASKS[name][1])
        assert judgment.outcome is Outcome.NEW
        assert judgment.error == ""

    @pytest.mark.parametrize("name", ASKS)
    @pytest.mark.parametrize(
        "body", [b"", b"  ", b"<!DOCTYPE html>", b"{}", b"null", b"3", b"{", b"\xff", b"[" * 99999]
    )
    def test_bodies_that_are_no_answer(self, name: str, body: bytes) -> None:
        judgment = judged(name, body)
        assert judgment.outcome is Outcome.BROKEN
        assert judgment.again

    @pytest.mark.parametrize("name", ASKS)
    @pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
    def test_statuses_without_a_code(self, name: str, status: int) -> None:
        judgment = judged(name, b"<h1>error</h1>", status)
        expected = {404: Outcome.NOT_THERE, 401: Outcome.REFUSED, 403: Outcome.REFUSED}
        assert judgment.outcome is expected.get(status, Outcome.FAILED)
        assert judgment.again == (status >= 429)

    def test_an_error_of_stats_with_status_200(self) -> None:
        judgment = judged("log", {"Message": "An error has occurred."})
        assert (judgment.outcome, judgment.again) == (Outcome.BROKEN, True)
        assert "An error has occurred." in judgment.error

    @pytest.mark.parametrize("column", ["PTS", "GAME_ID", "MIN", "TEAM_ABBREVIATION"])
    def test_columns(self, column: str) -> None:
        value = copy.deepcopy(LOG)
        at = value["resultSets"][0]["headers"].index(column)
        value["resultSets"][0]["headers"][at] = "OTHER"
        judgment = judged("log", value)
        assert judgment.outcome is Outcome.BROKEN
        assert judgment.error == f"the columns {column} are missing"
        value["resultSets"][0]["headers"] = ["NEW", *LOG_HEADERS]
        assert judged("log", value).outcome is Outcome.NEW

    def test_a_season_that_shrank(self) -> None:
        value = copy.deepcopy(LOG)
        value["resultSets"][0]["rowSet"].pop()
        judgment = judged("log", value)
        assert judgment.outcome is Outcome.REFUSED
        assert "the season shrank from 3 to 2 rows" in judgment.error
        value["resultSets"][0]["rowSet"] = []
        assert judged("log", value).outcome is Outcome.REFUSED
        first = nba_stats.game_log("http://x", "2026-27", "cup", HEADERS, 0)
        assert first.judge(Answer(200, json.dumps(value).encode())).outcome is Outcome.NEW

    def test_rows(self) -> None:
        assert nba_stats.row_count(json.dumps(LOG).encode()) == 3
        assert nba_stats.row_count(b"<html>") == 0

    def test_no_players(self) -> None:
        value = copy.deepcopy(PLAYERS)
        value["resultSets"][0]["rowSet"] = []
        assert judged("players", value).outcome is Outcome.BROKEN

    def test_the_schedule(self) -> None:
        judgment = judged("schedule", SCHEDULE)
        assert judgment.key == "2026-27"
        assert judgment.source_time == datetime(2026, 11, 25, 10, 11, 2, 112000, timezone.utc)
        days = nba_cdn.game_days(json.dumps(SCHEDULE).encode())
        # The preseason game does not count.
        assert days == [date(2026, 11, day) for day in (24, 25, 27)]

    def test_a_schedule_that_shrank(self) -> None:
        ask = nba_cdn.schedule("http://x", "2026-27", HEADERS, 1230)
        judgment = ask.judge(Answer(200, json.dumps(SCHEDULE).encode()))
        assert judgment.outcome is Outcome.REFUSED
        assert judgment.error == "the schedule shrank from 1230 to 3 games"
        # In summer, the file becomes that of the next season.
        ask = nba_cdn.schedule("http://x", "2025-26", HEADERS, 1230)
        judgment = ask.judge(Answer(200, json.dumps(SCHEDULE).encode()))
        assert (judgment.outcome, judgment.key) == (Outcome.NEW, "2026-27")

    @pytest.mark.parametrize("season", [None, "", 2026, "../../2026-27", "2026-27/x", "2026"])
    def test_a_season_is_no_path(self, season: Any) -> None:
        value = copy.deepcopy(SCHEDULE)
        value["leagueSchedule"]["seasonYear"] = season
        assert judged("schedule", value).outcome is Outcome.BROKEN

    @pytest.mark.parametrize(
        ("status", "code", "outcome", "again"),
        [
            *((401, code, Outcome.REFUSED, False) for code in sorted(odds_api.STOPPING)),
            (429, "OUT_OF_USAGE_CREDITS", Outcome.REFUSED, False),
            (429, "EXCEEDED_FREQ_LIMIT", Outcome.FAILED, True),
            (404, "EVENT_NOT_FOUND", Outcome.NOT_THERE, False),
            (422, "INVALID_MARKET", Outcome.REFUSED, False),
            (422, "INVALID_EVENT_ID", Outcome.REFUSED, False),
        ],
    )
    def test_codes(self, status: int, code: str, outcome: Outcome, again: bool) -> None:
        for name in ("odds", "events"):
            judgment = judged(name, {"message": "Why.", "error_code": code}, status)
            assert (judgment.outcome, judgment.again) == (outcome, again)
            assert judgment.error.startswith(f"{code}: Why.")
            assert odds_api.error_code(judgment.error) == code
            names_setting = odds_api.KEY_SETTING in judgment.error
            assert names_setting == (code in odds_api.KEY_ERRORS)

    def test_events(self) -> None:
        (event,) = odds_api.events_in(json.dumps(EVENTS).encode())
        assert (event.away, event.home) == ("LAC", "BOS")
        assert event.commences == datetime(2026, 11, 26, 0, 30, tzinfo=timezone.utc)
        alias = [{**EVENTS[0], "away_team": "LA Clippers", "home_team": "Foxes"}]
        (event,) = odds_api.events_in(json.dumps(alias).encode())
        assert (event.away, event.home) == ("LAC", None)
        assert judged("events", []).outcome is Outcome.NEW
        assert odds_api.events_in(b"<html>") == []

    @pytest.mark.parametrize(
        "change",
        [
            {"id": "../../x"},
            {"id": 3},
            {"id": ""},
            {"id": "x?apiKey=y"},
            {"commence_time": "soon"},
            {"commence_time": "2026-11-26T00:30:00"},
            {"commence_time": "0001-01-01T00:00:00+14:00"},
        ],
    )
    def test_events_of_another_form(self, change: dict[str, Any]) -> None:
        changed = {**EVENTS[0], **change}
        assert odds_api.events_in(json.dumps([changed, *EVENTS]).encode())[0].home == "BOS"
        assert len(odds_api.events_in(json.dumps([changed, *EVENTS]).encode())) == 1
        # If no game has the documented form, the service was changed.
        assert judged("events", [changed]).outcome is Outcome.BROKEN
        assert judged("events", [changed, *EVENTS]).outcome is Outcome.NEW

    def test_the_newest_quote(self) -> None:
        judgment = judged("odds", ODDS)
        assert judgment.source_time == datetime(2026, 11, 25, 16, 31, 31, tzinfo=timezone.utc)

    def test_lines(self) -> None:
        assert odds_api.has_lines(json.dumps(ODDS).encode())
        nothing = {**ODDS, "bookmakers": []}
        assert judged("odds", nothing).outcome is Outcome.NEW
        assert not odds_api.has_lines(json.dumps(nothing).encode())
        assert not odds_api.has_lines(b"<html>")

    def test_final_games(self) -> None:
        body = json.dumps(BOARD).encode()
        assert espn.final_games(body) == {frozenset(("BOS", "NYK")): "401"}
        assert espn.final_games(b"<html>") == {}
        for change in ({"id": "4/../1"}, {"status": {"type": {"completed": False}}}):
            board = {"events": [{**BOARD["events"][0], **change}]}
            assert espn.final_games(json.dumps(board).encode()) == {}

    @pytest.mark.parametrize("box_score", [{"teams": []}, {"players": []}, [], None])
    def test_a_summary_without_a_box_score(self, box_score: Any) -> None:
        """It would be landed as the box score, and never asked for again."""
        assert judged("summary", {"boxscore": box_score}).outcome is Outcome.BROKEN


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
READERS: dict[str, Callable[[bytes], object]] = {
    "log": nba_stats.row_count,
    "schedule": nba_cdn.game_days,
    "events": odds_api.events_in,
    "odds": odds_api.has_lines,
    "scoreboard": espn.final_games,
}


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from(sorted(ASKS)), data=st.data())
def test_no_answer_raises(name: str, data: st.DataObject) -> None:
    """A part of an answer is replaced by anything. What is an input can also be read."""
    value = copy.deepcopy(ASKS[name][1])
    node = value
    while isinstance(node, (dict, list)) and node:
        at = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else [0]))
        if data.draw(st.integers(0, 2)) == 0 or not isinstance(node[at], (dict, list)):
            node[at] = data.draw(JSON)
            break
        node = node[at]
    judgment = judged(name, value)
    assert isinstance(judgment, Judgment)
    if judgment.outcome is Outcome.NEW and name in READERS:
        READERS[name](json.dumps(value).encode())


@settings(deadline=None)
@given(value=st.text() | st.datetimes().map(str) | JSON)
def test_moments(value: Any) -> None:
    found = moment_of(value)
    assert found is None or found.tzinfo is timezone.utc
