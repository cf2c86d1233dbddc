"""The stand-in of the live services: its formats, its time, its checks, its costs, its faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.inputs.importing.importer import Imported
from nba_predictions_tests.inputs.importing.payloads import dicts_of, imported, rows_of
from nba_predictions_tests.standins.live import (
    API_KEY,
    FAULTS,
    Fault,
    FolderSeasons,
    LiveStandIn,
    SimulatedSeasons,
)
from nba_predictions_tests.standins.live.injuries import name_of
from nba_predictions_tests.standins.live.odds import event_id, moves_at_noon, moves_late
from nba_predictions_tests.standins.live.season import Game, Season, plain

Json = dict[str, Any]

#: A day of the simulated league with games on it and on the days around it.
DAY = date(2026, 1, 15)
SEASON = "2025-26"
HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Referer": "https://www.nba.com/"}
ODDS = {
    **{"apiKey": API_KEY, "regions": "us", "markets": "player_points"},
    **{"oddsFormat": "american", "dateFormat": "iso"},
}
SCHEDULE = "staticData/scheduleLeagueV2.json"
SEASONS = SimulatedSeasons()


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=EASTERN)


@pytest.fixture
def server() -> Iterator[LiveStandIn]:
    """A stand-in at 17:00 Eastern of DAY. Requests that hang stay open for a moment."""
    with LiveStandIn(SEASONS, at(17), hang_seconds=0.05) as server:
        yield server


@pytest.fixture
def season() -> Season:
    season = SEASONS.season(SEASON)
    assert season is not None
    return season


@pytest.fixture
def game(season: Season) -> Game:
    """The last game of DAY."""
    return max(season.by_day[DAY], key=lambda game: game.tipoff)


def fetch(server: LiveStandIn, setting: str, path: str, **query: Any) -> requests.Response:
    url = f"{server.urls[setting]}/{path}"
    return requests.get(url, params=query, headers=HEADERS, timeout=20)


def log_of(
    server: LiveStandIn, season: str = SEASON, kind: str = "Regular Season"
) -> requests.Response:
    query = {
        **{"Counter": 0, "DateFrom": "", "DateTo": "", "Direction": "ASC", "LeagueID": "00"},
        **{"PlayerOrTeam": "P", "Season": season, "SeasonType": kind, "Sorter": "DATE"},
    }
    return fetch(server, "nba_stats_url", "leaguegamelog", **query)


def log_rows(server: LiveStandIn, **which: str) -> list[Json]:
    table = log_of(server, **which).json()["resultSets"][0]
    return [dict(zip(table["headers"], row, strict=True)) for row in table["rowSet"]]


def odds_of(server: LiveStandIn, game: Game, **changes: str) -> requests.Response:
    path = f"sports/basketball_nba/events/{event_id(game)}/odds"
    return fetch(server, "odds_api_url", path, **{**ODDS, **changes})


def lines_of(server: LiveStandIn, game: Game) -> dict[tuple[str, str], float]:
    """Return the line of each book and player."""
    return {
        (book["key"], outcome["description"]): outcome["point"]
        for book in odds_of(server, game).json()["bookmakers"]
        for outcome in book["markets"][0]["outcomes"]
    }


def report(server: LiveStandIn, moment: datetime) -> requests.Response:
    return fetch(server, "injury_report_url", name_of(moment))


def game_in_schedule(server: LiveStandIn, game_id: str) -> Json:
    days = fetch(server, "nba_cdn_url", SCHEDULE).json()["leagueSchedule"]["gameDates"]
    return next(game for day in days for game in day["games"] if game["gameId"] == game_id)


def read(tmp_path: Path, response: requests.Response) -> Imported:
    return imported(tmp_path, answer=response.content)["answer"]


class TestFormats:
    """The importers read every answer."""

    def test_game_logs(self, server: LiveStandIn, season: Season, tmp_path: Path) -> None:
        published = [g for g in season.games if g.kind == "2" and g.day < DAY]
        frame = rows_of(read(tmp_path, log_of(server)))
        assert frame.height == sum(len(season.rows[g.game_id]) for g in published)
        assert frame["GAME_ID"].n_unique() == len(published)

    @pytest.mark.parametrize("kind", ["Regular Season", "Playoffs", "PlayIn", "IST"])
    def test_history(self, server: LiveStandIn, kind: str, tmp_path: Path) -> None:
        games = {"Regular Season": 1230, "Playoffs": 56, "PlayIn": 6, "IST": 1}
        digits = {"Regular Season": "2", "Playoffs": "4", "PlayIn": "5", "IST": "6"}
        for name in ("2021-22", "2022-23", "2023-24", "2024-25"):
            rows = log_rows(server, season=name, kind=kind)
            assert len({row["GAME_ID"] for row in rows}) == games[kind]
            assert {row["SEASON_ID"] for row in rows} == {f"{digits[kind]}{name[:4]}"}
        outcome = read(tmp_path, log_of(server, "2024-25", kind))
        assert outcome.rows == len(rows)
        assert not outcome.rejected

    @pytest.mark.parametrize("kind", ["Pre Season", "All Star"])
    def test_no_rows_are_an_answer(self, server: LiveStandIn, kind: str) -> None:
        assert log_rows(server, kind=kind) == []
        assert log_rows(server, season="1980-81") == []

    def test_schedules(self, server: LiveStandIn, season: Season, tmp_path: Path) -> None:
        frame = rows_of(read(tmp_path, fetch(server, "nba_cdn_url", SCHEDULE)))
        decided = [g for g in season.games if g.kind in "26"]
        by_id = dict(frame.select("GAME_ID", "tipoff").rows())
        assert by_id == {game.game_id: game.tipoff for game in decided}
        today = fetch(server, "nba_cdn_url", "liveData/scoreboard/todaysScoreboard_00.json")
        board = fetch(server, "nba_stats_url", "scoreboardv3", GameDate=DAY, LeagueID="00")
        for answer in (today, board):
            ids = rows_of(read(tmp_path, answer))["GAME_ID"].to_list()
            assert sorted(ids) == sorted(game.game_id for game in season.by_day[DAY])

    def test_local_times_end_in_z(self, server: LiveStandIn, game: Game) -> None:
        shown = game_in_schedule(server, game.game_id)
        assert shown["gameDateTimeUTC"] == f"{game.tipoff:%Y-%m-%dT%H:%M:%S}Z"
        local = game.tipoff.astimezone(EASTERN)
        assert shown["gameDateTimeEst"] == f"{local:%Y-%m-%dT%H:%M:%S}Z"

    def test_box_scores_of_a_game(
        self, server: LiveStandIn, season: Season, tmp_path: Path
    ) -> None:
        old = season.by_day[DAY - timedelta(days=2)][0]
        path = f"liveData/boxscore/boxscore_{old.game_id}.json"
        query = dict.fromkeys(("EndPeriod", "EndRange"), 0) | {"GameID": old.game_id}
        query |= dict.fromkeys(("RangeType", "StartPeriod", "StartRange"), 0)
        schedule = fetch(server, "nba_cdn_url", SCHEDULE).content
        for answer in (
            fetch(server, "nba_cdn_url", path),
            fetch(server, "nba_stats_url", "boxscoretraditionalv3", **query),
        ):
            value = answer.json()
            home = value.get("game", value.get("boxScoreTraditional"))["homeTeam"]
            of_players = [player["statistics"]["points"] for player in home["players"]]
            assert home["statistics"]["points"] == sum(of_players)
            points = {
                row["PLAYER_ID"]: row["PTS"]
                for row in dicts_of(
                    # The answer of stats.nba.com has no date. The schedule adds it.
                    imported(tmp_path, answer=answer.content, schedule=schedule)["answer"]
                )
                if row["MIN"] is not None
            }
            truth = season.rows[old.game_id]
            assert points == {row["PLAYER_ID"]: row["PTS"] for row in truth}

    def test_players(self, server: LiveStandIn, season: Season, tmp_path: Path) -> None:
        answer = fetch(server, "nba_stats_url", "playerindex", LeagueID="00", Season=SEASON)
        assert read(tmp_path, answer).notes == ["450 names for the other files"]
        table = answer.json()["resultSets"][0]
        at_team = table["headers"].index("TEAM_ID")
        team = table["rowSet"][0][at_team]
        query = {"LeagueID": "00", "Season": SEASON, "TeamID": team}
        roster = fetch(server, "nba_stats_url", "commonteamroster", **query).json()["resultSets"][0]
        assert len(roster["rowSet"]) == sum(row[at_team] == team for row in table["rowSet"])

    def test_odds(self, server: LiveStandIn, season: Season, game: Game, tmp_path: Path) -> None:
        answer = odds_of(server, game)
        rows = dicts_of(read(tmp_path, answer))
        players = {quote.player for quote in season.quotes[game.game_id]}
        assert {row["player"] for row in rows} <= players
        assert len(rows) == 2 * len(lines_of(server, game)) > 100
        assert {row["line"] % 1 for row in rows} == {0.5}
        decimal = odds_of(server, game, oddsFormat="decimal")
        converted = dicts_of(read(tmp_path, decimal))
        assert [row["line"] for row in converted] == [row["line"] for row in rows]

    def test_injury_reports(self, server: LiveStandIn, season: Season, tmp_path: Path) -> None:
        outcome = read(tmp_path, report(server, at(17)))
        frame = rows_of(outcome)
        assert frame["observed_at"].unique().to_list() == [at(17)]
        listed = [p for (day, _), ps in season.listed.items() for p in ps if day == DAY]
        today = frame.filter(game_date=DAY)
        assert sorted(today["player"].to_list()) == sorted(p.player for p in listed)
        assert outcome.dropped["not_yet_submitted"] > 0

    def test_every_report_of_a_day_is_read(self, server: LiveStandIn, tmp_path: Path) -> None:
        documents: Json = {
            f"at_{hour}": report(server, at(hour, day=DAY - timedelta(days=1))).content
            for hour in range(24)
        }
        assert {o.error for o in imported(tmp_path, **documents).values()} == {""}

    def test_espn(self, server: LiveStandIn, season: Season, tmp_path: Path) -> None:
        outcome = read(tmp_path, fetch(server, "espn_url", "injuries"))
        assert outcome.rows > 20
        assert outcome.dropped["active"] > 0
        day = DAY - timedelta(days=2)
        board = fetch(server, "espn_url", "scoreboard", dates=f"{day:%Y%m%d}").json()
        assert len(board["events"]) == len(season.by_day[day])
        for event in board["events"]:
            assert event["competitions"][0]["status"]["type"]["completed"] is True
        summary = fetch(server, "espn_url", "summary", event=board["events"][0]["id"]).json()
        points = 0
        for team in summary["boxscore"]["players"]:
            table = team["statistics"][0]
            column = table["names"].index("PTS")
            points += sum(int(a["stats"][column]) for a in table["athletes"] if a["stats"])
        scores = board["events"][0]["competitions"][0]["competitors"]
        assert points == sum(int(competitor["score"]) for competitor in scores)


class TestTime:
    """What is known follows the clock."""

    def test_a_game_begins_ends_and_has_a_box_score(self, server: LiveStandIn, game: Game) -> None:
        path = f"liveData/boxscore/boxscore_{game.game_id}.json"
        server.now = game.tipoff - timedelta(minutes=1)
        shown = game_in_schedule(server, game.game_id)
        assert shown["gameStatus"] == 1
        assert shown["gameStatusText"].endswith(" pm ET")
        assert fetch(server, "nba_cdn_url", path).status_code == 403
        server.now = game.tipoff + timedelta(minutes=40)
        assert game_in_schedule(server, game.game_id)["gameStatus"] == 2
        assert fetch(server, "nba_cdn_url", path).json()["game"]["gameStatus"] == 2
        server.now = game.ends
        shown = game_in_schedule(server, game.game_id)
        assert (shown["gameStatus"], shown["gameStatusText"]) == (3, "Final")
        assert shown["homeTeam"]["score"] > 50
        assert game.game_id not in {row["GAME_ID"] for row in log_rows(server)}
        server.now = game.ends + timedelta(minutes=15)
        assert game.game_id in {row["GAME_ID"] for row in log_rows(server)}

    def test_one_box_score_is_corrected_on_the_next_day(
        self, server: LiveStandIn, season: Season
    ) -> None:
        truth = {
            (row["GAME_ID"], row["PLAYER_ID"]): row["PTS"]
            for game in season.by_day[DAY]
            for row in season.rows[game.game_id]
        }
        tomorrow = DAY + timedelta(days=1)
        for moment, wrong in ((at(6, day=tomorrow), 1), (at(12, day=tomorrow), 0)):
            server.now = moment
            rows = {(row["GAME_ID"], row["PLAYER_ID"]): row["PTS"] for row in log_rows(server)}
            differences = [rows[key] - points for key, points in truth.items()]
            assert sorted(differences)[-2:] == [0, 2 * wrong]
            assert sum(differences) == 2 * wrong

    def test_lines_open_and_move(self, server: LiveStandIn, season: Season, game: Game) -> None:
        counts, before = [], lines_of(server, game)
        for moment in (at(13, day=DAY - timedelta(days=1)), at(2), at(11), at(16)):
            server.now = moment
            counts.append(len(lines_of(server, game)))
        assert counts[0] == 0
        assert counts == sorted(counts)
        assert 0.5 * counts[3] < counts[1] < counts[2] <= counts[3]
        quotes = {quote.player: quote for quote in season.quotes[game.game_id]}
        for early, late, moves in (
            (at(11, 59), at(12), moves_at_noon),
            (game.tipoff - timedelta(minutes=61), game.tipoff - timedelta(hours=1), moves_late),
        ):
            server.now = early
            before = lines_of(server, game)
            server.now = late
            after = lines_of(server, game)
            moved = {key for key in before if key in after and before[key] != after[key]}
            assert moved
            assert all(moves(quotes[player], game) for _, player in moved)

    def test_prices_are_in_play_after_the_tipoff(self, server: LiveStandIn, game: Game) -> None:
        server.now = game.tipoff - timedelta(minutes=1)
        before = odds_of(server, game).json()
        server.now = game.tipoff + timedelta(minutes=30)
        during = odds_of(server, game).json()
        tipoff = before["commence_time"]
        for event, is_live in ((before, False), (during, True)):
            for book in event["bookmakers"]:
                assert (book["markets"][0]["last_update"] >= tipoff) is is_live
        server.now = game.ends
        gone = odds_of(server, game)
        assert (gone.status_code, gone.json()["error_code"]) == (404, "EVENT_NOT_FOUND")

    def test_players_who_are_out_lose_their_lines(
        self, server: LiveStandIn, season: Season
    ) -> None:
        for game in season.games[:200]:
            quoted = {quote.player for quote in season.quotes[game.game_id]}
            out = {
                player.player
                for team in (game.away, game.home)
                for player in season.listed.get((game.day, team), [])
                if not player.plays
            }
            if quoted & out:
                server.now = game.tipoff - timedelta(minutes=59)
                assert not {player for _, player in lines_of(server, game)} & out
                return
        pytest.fail("no such game")

    def test_reports_exist_up_to_now(self, server: LiveStandIn) -> None:
        assert report(server, at(17)).status_code == 200
        assert report(server, at(17, 15)).status_code == 403
        by_24_hours = "Injury-Report_2026-01-15_17_00PM.pdf"
        without_minutes = "Injury-Report_2026-01-15_04PM.pdf"
        for name in (by_24_hours, without_minutes):
            assert fetch(server, "injury_report_url", name).status_code == 403

    def test_reports_have_other_names_before(self, server: LiveStandIn, tmp_path: Path) -> None:
        old = fetch(server, "injury_report_url", "Injury-Report_2025-12-10_05PM.pdf")
        moment = rows_of(read(tmp_path, old))["observed_at"].unique().to_list()
        assert moment == [at(17, 30, day=date(2025, 12, 10))]
        new = fetch(server, "injury_report_url", "Injury-Report_2025-12-10_05_30PM.pdf")
        assert new.status_code == 403

    def test_teams_submit_until_a_time(
        self, server: LiveStandIn, season: Season, tmp_path: Path
    ) -> None:
        tomorrow = DAY + timedelta(days=1)
        today = {team for g in season.by_day[DAY] for team in (g.away, g.home)}
        teams = {team for g in season.by_day[tomorrow] for team in (g.away, g.home)}
        server.now = at(13, day=tomorrow)
        for moment, absent in (
            (at(16, 45), teams),
            (at(17), teams & today),
            (at(12, 45, day=tomorrow), teams & today),
            (at(13, day=tomorrow), set()),
        ):
            notes = " ".join(read(tmp_path, report(server, moment)).notes)
            names = {team for team in teams if f"{team} {tomorrow}" in notes}
            assert names == absent

    def test_a_status_is_decided_one_hour_before(
        self, server: LiveStandIn, season: Season, tmp_path: Path
    ) -> None:
        games = season.by_day[DAY]
        plays = {
            p.player: p.plays
            for g in games
            for team in (g.away, g.home)
            for p in season.listed.get((DAY, team), [])
        }
        server.now = at(23)
        early = rows_of(read(tmp_path, report(server, at(12)))).filter(game_date=DAY)
        late = rows_of(read(tmp_path, report(server, at(23)))).filter(game_date=DAY)
        assert "QUESTIONABLE" in early["status"].to_list()
        expected = {name: "AVAILABLE" if played else "OUT" for name, played in plays.items()}
        assert dict(late.select("player", "status").rows()) == expected

    def test_a_game_moves_in_all_services(self, game: Game) -> None:
        seasons = SimulatedSeasons()
        seasons.move_game(game.game_id, at(14, day=DAY + timedelta(days=1)))
        with LiveStandIn(seasons, at(12)) as server:
            shown = game_in_schedule(server, game.game_id)
            assert shown["gameDateTimeUTC"] == "2026-01-16T19:00:00Z"
            assert shown["gameStatusText"] == "2:00 pm ET"
            assert odds_of(server, game).json()["commence_time"] == "2026-01-16T19:00:00Z"
            server.now = at(17, day=DAY + timedelta(days=1))
            dates = {row["GAME_DATE"] for row in log_rows(server) if row["GAME_ID"] == game.game_id}
            assert dates == {"2026-01-16"}
        with pytest.raises(KeyError):
            seasons.move_game("0022599999", at(14))

    def test_a_clock_can_run(self) -> None:
        moments = iter([at(9), at(10)])
        with LiveStandIn(SEASONS, lambda: next(moments)) as server:
            assert [server.now, server.now] == [at(9), at(10)]
            with pytest.raises(ValueError, match="no time zone"):
                server.now = datetime(2026, 1, 1)  # noqa: DTZ001

    def test_a_client_moves_the_clock(self, server: LiveStandIn) -> None:
        fault = {"name": "error_503", "provider": "cdn", "times": 1}
        body: Json = {"now": "2026-01-20T12:00:00Z", "faults": [fault]}
        state = requests.post(f"{server.url}/_standin", json=body, timeout=5).json()
        assert state["now"] == "2026-01-20T12:00:00+00:00"
        assert server.now == datetime(2026, 1, 20, 12, tzinfo=timezone.utc)
        assert fetch(server, "nba_cdn_url", SCHEDULE).status_code == 503
        refused: list[Json] = [
            {"now": "noon"},
            {"faults": [{"name": "unknown", "provider": "cdn"}]},
        ]
        for wrong in refused:
            answer = requests.post(f"{server.url}/_standin", json=wrong, timeout=5)
            assert answer.status_code == 400


class TestChecks:
    """The services refuse requests that the real ones refuse."""

    def test_the_cdn_requires_a_browser_on_its_site(self, server: LiveStandIn) -> None:
        for headers in ({}, {**HEADERS, "Referer": ""}, {**HEADERS, "User-Agent": "requests"}):
            url = f"{server.urls['nba_cdn_url']}/{SCHEDULE}"
            answer = requests.get(url, headers=headers, timeout=5)
            assert answer.status_code == 403
            assert "Access Denied" in answer.text

    def test_stats_do_not_answer_without_a_browser(self, server: LiveStandIn) -> None:
        url = f"{server.urls['nba_stats_url']}/scoreboardv3?GameDate=2026-01-15&LeagueID=00"
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=5)
        assert server.requests[0].status is None

    def test_stats_require_all_parameters_in_order(self, server: LiveStandIn) -> None:
        url = f"{server.urls['nba_stats_url']}/scoreboardv3"
        for query, status in (("LeagueID=00&GameDate=2026-01-15", 500), ("LeagueID=00", 400)):
            answer = requests.get(f"{url}?{query}", headers=HEADERS, timeout=5)
            assert answer.status_code == status

    @pytest.mark.parametrize(
        ("path", "changes", "status", "code"),
        [
            ("events", {"apiKey": ""}, 401, "MISSING_KEY"),
            ("events", {"apiKey": "wrong"}, 401, "INVALID_KEY"),
            ("odds", {}, 422, "INVALID_MARKET"),
            ("events/{event}/odds", {"markets": "player_fouls"}, 422, "INVALID_MARKET"),
            ("events/{event}/odds", {"regions": "moon"}, 422, "INVALID_REGION"),
            ("events/1/odds", {}, 422, "INVALID_EVENT_ID"),
            (f"events/{'0' * 32}/odds", {}, 404, "EVENT_NOT_FOUND"),
            ("events", {"commenceTimeFrom": "noon"}, 422, "INVALID_COMMENCE_TIME_FROM"),
        ],
    )
    def test_the_odds_api_names_what_is_wrong(
        self, server: LiveStandIn, game: Game, path: str, changes: Json, status: int, code: str
    ) -> None:
        path = f"sports/basketball_nba/{path.format(event=event_id(game))}"
        answer = fetch(server, "odds_api_url", path, **{**ODDS, **changes})
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
        assert answer.headers["x-requests-last"] == "0"

    def test_the_odds_api_limits_calls_per_second(self, server: LiveStandIn) -> None:
        server.account.calls_per_second = 2
        answers = [fetch(server, "odds_api_url", "sports", apiKey=API_KEY) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["error_code"] == "EXCEEDED_FREQ_LIMIT"

    def test_requests_are_recorded(self, server: LiveStandIn, game: Game) -> None:
        odds_of(server, game)
        fetch(server, "nba_cdn_url", SCHEDULE)
        first, second = server.requests
        assert (first.provider, first.cost, first.status, first.at) == ("odds", 1, 200, at(17))
        assert dict(first.query)["apiKey"] == API_KEY
        assert second.headers["referer"] == "https://www.nba.com/"
        assert second.received > first.received
        assert server.requests_to("cdn", "schedule") == [second]


class TestCosts:
    """The credits of The Odds API."""

    def test_markets_and_regions_cost(self, server: LiveStandIn, game: Game) -> None:
        many = "draftkings,fanduel,betmgm,betrivers,bovada,betonlineag,fanatics,mybookieag"
        for changes, cost in (
            ({}, 1),
            ({"regions": "us,us_dfs"}, 2),
            ({"markets": "player_points,player_rebounds"}, 1),
            ({"markets": "player_rebounds"}, 0),
            ({"bookmakers": many}, 1),
            ({"bookmakers": f"{many},novig,pick6,fliff"}, 2),
            ({"regions": "uk"}, 0),
        ):
            used = server.credits_used
            answer = odds_of(server, game, **changes)
            assert answer.headers["x-requests-last"] == str(cost), changes
            assert server.credits_used == used + cost
            assert answer.headers["x-requests-remaining"] == str(500 - server.credits_used)

    def test_events_are_free(self, server: LiveStandIn, season: Season) -> None:
        first, last = at(0).astimezone(timezone.utc), at(23, 59).astimezone(timezone.utc)
        events = fetch(
            server,
            "odds_api_url",
            "sports/basketball_nba/events",
            apiKey=API_KEY,
            commenceTimeFrom=f"{first:%Y-%m-%dT%H:%M:%S}Z",
            commenceTimeTo=f"{last:%Y-%m-%dT%H:%M:%S}Z",
        )
        ids = {event["id"] for event in events.json()}
        assert ids == {event_id(game) for game in season.by_day[DAY]}
        assert server.credits_used == 0

    def test_an_answer_without_markets_is_free(self, server: LiveStandIn, game: Game) -> None:
        server.now = at(13, day=DAY - timedelta(days=1))
        answer = odds_of(server, game)
        assert answer.json()["bookmakers"] == []
        assert server.credits_used == 0

    def test_the_past_costs_ten_times(
        self, server: LiveStandIn, season: Season, tmp_path: Path
    ) -> None:
        old = season.by_day[date(2025, 11, 20)][0]
        taken = f"{old.tipoff - timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}Z"
        prefix = "historical/sports/basketball_nba/events"
        listed = fetch(server, "odds_api_url", prefix, apiKey=API_KEY, date=taken)
        assert event_id(old) in {event["id"] for event in listed.json()["data"]}
        path = f"{prefix}/{event_id(old)}/odds"
        answer = fetch(server, "odds_api_url", path, **ODDS, date=taken)
        assert (
            answer.json()["timestamp"] == f"{old.tipoff - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}Z"
        )
        assert read(tmp_path, answer).rows > 100
        assert server.credits_used == 11
        spring = SEASONS.season("2022-23")
        assert spring is not None
        first = spring.by_day[date(2023, 3, 1)][0]
        query = {**ODDS, "date": f"{first.tipoff - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}
        before = fetch(server, "odds_api_url", f"{prefix}/{event_id(first)}/odds", **query)
        assert before.json()["data"]["bookmakers"] == []
        assert server.credits_used == 11
        server.account.is_paid = False
        refused = fetch(server, "odds_api_url", path, **ODDS, date=taken)
        assert refused.json()["error_code"] == "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN"

    def test_a_month_has_its_credits(self, game: Game) -> None:
        with LiveStandIn(SEASONS, at(17), credits_per_month=2) as server:
            answers = [odds_of(server, game) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 401]
            assert answers[2].json()["error_code"] == "OUT_OF_USAGE_CREDITS"
            assert server.credits_used == 2
            server.now = at(17, day=date(2026, 2, 1))
            sports = fetch(server, "odds_api_url", "sports", apiKey=API_KEY)
            assert sports.headers["x-requests-remaining"] == "2"


#: A request to each provider.
PATHS: dict[str, tuple[str, str, Json]] = {
    "stats": ("nba_stats_url", "scoreboardv3", {"GameDate": DAY, "LeagueID": "00"}),
    "cdn": ("nba_cdn_url", SCHEDULE, {}),
    "espn": ("espn_url", "scoreboard", {"dates": f"{DAY:%Y%m%d}"}),
    "odds": ("odds_api_url", "sports/basketball_nba/events", {"apiKey": API_KEY}),
    "injury": ("injury_report_url", name_of(at(17)), {}),
}


def break_it(server: LiveStandIn, name: str, provider: str, **options: Any) -> None:
    server.faults = [Fault(name, provider, **options)]


class TestFaultsOfTheTransport:
    """Each provider can fail in each way."""

    @pytest.mark.parametrize("provider", PATHS)
    def test_the_answer_is_replaced(self, server: LiveStandIn, provider: str) -> None:
        setting, path, query = PATHS[provider]
        for name, status, body in (
            ("html_200", 200, b"<!DOCTYPE html>"),
            ("empty_200", 200, b""),
            ("empty_object", 200, b"{}"),
            ("error_500", 500, b""),
            ("error_502", 502, b"<h1>502"),
            ("error_503", 503, b"<h1>503"),
            ("too_many_429", 429, b""),
        ):
            break_it(server, name, provider)
            answer = fetch(server, setting, path, **query)
            assert answer.status_code == status
            assert answer.content.startswith(body)
            assert server.requests[-1].faults == (name,)
            assert "Retry-After" not in answer.headers
        break_it(server, "too_many_429", provider, retry_after=7)
        assert fetch(server, setting, path, **query).headers["Retry-After"] == "7"

    @pytest.mark.parametrize("provider", PATHS)
    def test_the_answer_is_broken(self, server: LiveStandIn, provider: str) -> None:
        setting, path, query = PATHS[provider]
        whole = fetch(server, setting, path, **query).content
        for name, error in (
            ("hang", requests.ConnectionError),
            ("truncated", requests.exceptions.ChunkedEncodingError),
            ("wrong_gzip", requests.exceptions.ContentDecodingError),
        ):
            break_it(server, name, provider)
            with pytest.raises(error):
                fetch(server, setting, path, **query)
        break_it(server, "truncated", provider, announced=True)
        assert fetch(server, setting, path, **query).content == whole[: len(whole) // 2]

    def test_a_hanging_request_times_out(self, game: Game) -> None:
        with LiveStandIn(SEASONS, at(17), hang_seconds=30) as server:
            break_it(server, "hang", "cdn")
            url = f"{server.urls['nba_cdn_url']}/{SCHEDULE}"
            with pytest.raises(requests.ReadTimeout):
                requests.get(url, headers=HEADERS, timeout=0.1)

    def test_a_fault_strikes_as_often_as_it_says(self, server: LiveStandIn) -> None:
        setting, path, query = PATHS["espn"]
        break_it(server, "error_503", "espn", times=2)
        assert fetch(server, "nba_cdn_url", SCHEDULE).status_code == 200
        statuses = [fetch(server, setting, path, **query).status_code for _ in range(3)]
        assert statuses == [503, 503, 200]
        break_it(server, "error_503", "espn", match="dates=20260101")
        assert fetch(server, setting, path, **query).status_code == 200
        break_it(server, "error_503", "espn", probability=0.5)
        statuses = [fetch(server, setting, path, **query).status_code for _ in range(40)]
        assert 8 < statuses.count(503) < 32

    def test_a_fault_must_exist(self) -> None:
        with pytest.raises(ValueError, match="there is no fault 'gremlin'"):
            Fault("gremlin", "odds")
        with pytest.raises(ValueError, match="not of 'cdn'"):
            Fault("out_of_credits", "cdn")


class TestFaultsOfStats:
    def test_columns(self, server: LiveStandIn, tmp_path: Path) -> None:
        server.now = at(12, day=date(2025, 10, 28))
        rows = read(tmp_path, log_of(server)).rows
        for name, options in (
            ("renamed_headers", {"columns": {"STL": "TAKEN"}}),
            ("dropped_column", {"column": "STL"}),
        ):
            break_it(server, name, "stats", **options)
            assert "the column STL is missing" in read(tmp_path, log_of(server)).error
            break_it(server, name, "stats")
            assert "PTS" not in log_rows(server)[0]
        break_it(server, "extra_column", "stats")
        assert read(tmp_path, log_of(server)).rows == rows

    def test_rows(self, server: LiveStandIn) -> None:
        whole = log_rows(server)
        break_it(server, "season_shrinks", "stats", share=0.25)
        assert log_rows(server) == whole[: len(whole) // 4]
        break_it(server, "box_score_missing", "stats")
        game = whole[-1]["GAME_ID"]
        assert log_rows(server) == [row for row in whole if row["GAME_ID"] != game]
        break_it(
            server,
            "box_score_corrected",
            "stats",
            game_id=whole[0]["GAME_ID"],
            player_id=whole[0]["PLAYER_ID"],
        )
        corrected = log_rows(server)
        assert corrected[1:] == whole[1:]
        assert corrected[0]["PTS"] == whole[0]["PTS"] + 2
        server.faults = []
        assert log_rows(server) == whole

    def test_a_missing_box_score_elsewhere(self, server: LiveStandIn, season: Season) -> None:
        old = season.by_day[DAY - timedelta(days=1)][0].game_id
        server.faults = [Fault("box_score_missing", p, game_id=old) for p in ("cdn", "espn")]
        path = f"liveData/boxscore/boxscore_{old}.json"
        assert fetch(server, "nba_cdn_url", path).status_code == 403
        summary = fetch(server, "espn_url", "summary", event=f"4{old[2:]}").json()
        assert "players" not in summary["boxscore"]


class TestFaultsOfTheSchedule:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("tbd_teams", "teams_undecided"),
            ("guest_teams", "preseason"),
            ("all_star", "all_star"),
            ("postponed", "postponed"),
        ],
    )
    def test_games_that_do_not_count(
        self, server: LiveStandIn, name: str, reason: str, tmp_path: Path
    ) -> None:
        rows = read(tmp_path, fetch(server, "nba_cdn_url", SCHEDULE)).rows
        break_it(server, name, "cdn")
        outcome = read(tmp_path, fetch(server, "nba_cdn_url", SCHEDULE))
        assert outcome.dropped == {reason: 1}
        assert outcome.rows == rows - (name == "postponed")

    def test_postponed_at_espn(self, server: LiveStandIn, game: Game) -> None:
        break_it(server, "postponed", "espn", game_id=game.game_id)
        events = fetch(server, "espn_url", "scoreboard").json()["events"]
        names = {event["id"]: event["status"]["type"]["name"] for event in events}
        assert names.pop(f"4{game.game_id[2:]}") == "STATUS_POSTPONED"
        assert set(names.values()) == {"STATUS_SCHEDULED"}

    def test_only_preseason(self, server: LiveStandIn, tmp_path: Path) -> None:
        break_it(server, "only_preseason", "cdn")
        outcome = read(tmp_path, fetch(server, "nba_cdn_url", SCHEDULE))
        assert (outcome.rows, outcome.dropped) == (0, {"preseason": 13})

    def test_moved_tipoff(self, server: LiveStandIn, game: Game, tmp_path: Path) -> None:
        before = game_in_schedule(server, game.game_id)
        server.faults = [
            Fault("schedule_false_z", "cdn"),
            Fault("moved_tipoff", "cdn", game_id=game.game_id, minutes=-300),
        ]
        answer = fetch(server, "nba_cdn_url", SCHEDULE)
        frame = rows_of(read(tmp_path, answer)).filter(GAME_ID=game.game_id)
        assert frame["tipoff"].to_list() == [game.tipoff - timedelta(hours=5)]
        after = game_in_schedule(server, game.game_id)
        assert after["gameDateEst"] == before["gameDateEst"]
        local = (game.tipoff - timedelta(hours=5)).astimezone(EASTERN)
        assert after["gameStatusText"] == f"{local.hour % 12}:{local:%M} pm ET"


class TestFaultsOfReports:
    def test_missing(self, server: LiveStandIn) -> None:
        break_it(server, "reports_missing", "injury", slots=6)
        slots = [at(17) - n * timedelta(minutes=15) for n in range(7)]
        assert [report(server, slot).status_code for slot in slots] == [403] * 6 + [200]
        break_it(server, "report_third_name", "injury")
        assert {report(server, slot).status_code for slot in slots} == {403}

    def test_content(self, server: LiveStandIn, tmp_path: Path) -> None:
        whole = dicts_of(read(tmp_path, report(server, at(17))))
        break_it(server, "reason_over_page_break", "injury")
        split = report(server, at(17))
        assert dicts_of(read(tmp_path, split)) == whole
        break_it(server, "report_html_200", "injury")
        page = report(server, at(17))
        assert (page.status_code, page.content[:6]) == (200, b"<html>")
        break_it(server, "new_status", "injury")
        assert "'Day-To-Day' is not one of" in read(tmp_path, report(server, at(17))).error
        break_it(server, "report_of_yesterday", "injury")
        old = rows_of(read(tmp_path, report(server, at(17))))
        assert old["observed_at"].unique().to_list() == [at(17) - timedelta(days=1)]


class TestFaultsOfOdds:
    def test_events(self, server: LiveStandIn, season: Season) -> None:
        first, second = season.by_day[DAY][:2]
        for name, status in (("event_not_found", 404), ("invalid_market", 422)):
            break_it(server, name, "odds", game_id=first.game_id)
            assert odds_of(server, first).status_code == status
            assert odds_of(server, second).status_code == 200

    def test_credits_end_within_a_slate(self, server: LiveStandIn, season: Season) -> None:
        break_it(server, "out_of_credits", "odds", after=2)
        answers = [odds_of(server, game) for game in season.by_day[DAY][:4]]
        assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
        assert answers[3].json()["error_code"] == "OUT_OF_USAGE_CREDITS"
        assert server.credits_used == 2

    def test_quotes(self, server: LiveStandIn, game: Game, tmp_path: Path) -> None:
        def quotes(name: str, **options: Any) -> list[Json]:
            break_it(server, name, "odds", **options)
            return dicts_of(read(tmp_path, odds_of(server, game)))

        whole = dicts_of(read(tmp_path, odds_of(server, game)))
        books = {row["bookmaker"] for row in whole}
        assert {row["side"] for row in quotes("one_sided")} == {"Over"}
        assert {row["line"] % 1 for row in quotes("integer_line")} == {0}
        assert "Nobody Knownn" in {row["player"] for row in quotes("unknown_player")}
        assert {r["bookmaker"] for r in quotes("unknown_book")} == books | {"brandnewbook"}
        assert {row["observed_at"] > row["commence_time"] for row in quotes("in_play_prices")} == {
            True
        }
        lines: dict[tuple[str, str], set[float]] = {}
        for row in quotes("eight_lines"):
            lines.setdefault((row["bookmaker"], row["player"]), set()).add(row["line"])
        assert sorted({len(some) for some in lines.values()}) == [1, 8]

    def test_moved_start(self, server: LiveStandIn, game: Game) -> None:
        break_it(server, "moved_commence_time", "odds", seconds=757)
        moved = f"{game.tipoff + timedelta(seconds=757):%Y-%m-%dT%H:%M:%S}Z"
        assert odds_of(server, game).json()["commence_time"] == moved
        events = fetch(server, "odds_api_url", "sports/basketball_nba/events", apiKey=API_KEY)
        by_id = {event["id"]: event["commence_time"] for event in events.json()}
        assert by_id[event_id(game)] == moved


def test_every_fault_is_tested() -> None:
    text = Path(__file__).read_text("utf-8")
    assert not [name for name in FAULTS if f'"{name}"' not in text]


@pytest.mark.real_data
def test_real_seasons(real_data_dir: Path, tmp_path: Path) -> None:
    seasons = FolderSeasons(real_data_dir)
    day = date(2025, 1, 10)
    with LiveStandIn(seasons, at(13, day=day)) as server:
        season = seasons.season("2024-25")
        assert season is not None
        rows = log_rows(server, season="2024-25")
        assert max(row["GAME_DATE"] for row in rows) == "2025-01-09"
        assert len(log_rows(server, season="2021-22")) > 20_000
        game = season.by_day[day][0]
        names = {plain(row["PLAYER_NAME"]) for row in season.rows[game.game_id]}
        quoted = {player for _, player in lines_of(server, game)}
        assert len(quoted & names) >= 8
        assert read(tmp_path, report(server, at(12, 30, day=day))).error == ""
        assert read(tmp_path, fetch(server, "nba_cdn_url", SCHEDULE)).rows == 1230


def test_it_runs_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nba_predictions_tests.standins.live", "--season", SEASON]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as alone:
        try:
            assert alone.stdout is not None
            lines = [alone.stdout.readline().removeprefix("export ").strip() for _ in range(6)]
            settings = dict(line.split("=", 1) for line in lines)
            assert settings["NBA_PREDICTIONS_ODDS_API_KEY"] == API_KEY
            url = settings["NBA_PREDICTIONS_ESPN_URL"]
            board = requests.get(f"{url}/scoreboard", timeout=20)
            assert json.loads(board.content)["events"]
        finally:
            alone.terminate()
    assert alone.returncode == 0
