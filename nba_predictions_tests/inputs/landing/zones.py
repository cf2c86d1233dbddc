"""Landing zones with the simulated league, in the formats of the services."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.league.games import EASTERN, TEAM_NAMES
from nba_predictions.inputs.landing.zone import LandingZone, Outcome, RequestRecord, Resource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.inputs.importing.reports import Line, draw

Frames = dict[str, pl.DataFrame]
FULL_NAMES = {team: name for name, team in TEAM_NAMES.items()}
#: So many rows fit on a page of the injury report.
_ROWS_OF_PAGE = 18


def land(
    zone: LandingZone,
    resource: tuple[str, str, str],
    body: Any,
    at: datetime,
    outcome: Outcome = Outcome.NEW,
) -> str:
    """Write an answer that was fetched at a moment; return its path."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    record = RequestRecord(
        Resource(*resource), "http://localhost/", at, outcome, status=200, fetched_at=at
    )
    return zone.settle(record, content, "pdf" if isinstance(body, bytes) else "json").path


def nba_frames(league: SimulatedLeague, season: str) -> Frames:
    """Return a season in the layout of the input files, with teams and ids of games of the NBA."""
    logs = league.league_game_log(season)
    teams = dict(
        zip(sorted(set(logs["TEAM_ABBREVIATION"])), sorted(set(TEAM_NAMES.values())), strict=True)
    )
    frames = {
        "player_game_logs": logs.with_columns(
            pl.format("002{}", pl.col("GAME_ID").str.slice(1)).alias("GAME_ID"),
            pl.col("TEAM_ABBREVIATION").replace_strict(teams),
            pl.col("MATCHUP").str.replace_many(
                list(teams), list(teams.values()), ascii_case_insensitive=False
            ),
        ),
        "points_lines": league.league_lines(season),
        "schedule": league.league_schedule(season),
        "injuries": league.league_injuries(season),
    }
    for kind in ("points_lines", "schedule"):
        frames[kind] = frames[kind].with_columns(
            pl.col("away_team", "home_team").replace_strict(teams)
        )
    frames["injuries"] = frames["injuries"].with_columns(pl.col("team").replace_strict(teams))
    return frames


def result_set(name: str, frame: pl.DataFrame) -> dict[str, Any]:
    rows = frame.with_columns(pl.col(pl.Date).dt.to_string())
    return {
        "resource": name.lower(),
        "parameters": {},
        "resultSets": [{"name": name, "headers": rows.columns, "rowSet": list(rows.rows())}],
    }


def game_log(frame: pl.DataFrame) -> dict[str, Any]:
    return result_set("LeagueGameLog", frame.drop("season"))


def player_index(rows: Iterable[tuple[int, str, str | None]]) -> dict[str, Any]:
    """Return a list of players from their ids, names and teams."""
    split = [(i, *name.partition(" ")[::2], team) for i, name, team in rows]
    names = ["PERSON_ID", "PLAYER_FIRST_NAME", "PLAYER_LAST_NAME", "TEAM_ABBREVIATION"]
    return result_set("PlayerIndex", pl.DataFrame(split, schema=names, orient="row"))


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def league_schedule(frame: pl.DataFrame, at: datetime) -> dict[str, Any]:
    """Return a season's schedule of the NBA's CDN."""
    games = [
        {
            "gameId": f"00225{number:05d}",
            "gameCode": f"{row['game_date']:%Y%m%d}/{row['away_team']}{row['home_team']}",
            "gameStatus": 1,
            "gameStatusText": "7:30 pm ET",
            "gameDateTimeUTC": _utc(row["tipoff"]),
            "postponedStatus": "N",
            "homeTeam": {"teamTricode": row["home_team"]},
            "awayTeam": {"teamTricode": row["away_team"]},
        }
        for number, row in enumerate(frame.iter_rows(named=True), start=1)
    ]
    return {
        "meta": {"version": 1, "time": _utc(at)},
        "leagueSchedule": {"gameDates": [{"gameDate": "", "games": games}]},
    }


def scoreboard(games: Iterable[tuple[str, str, datetime]]) -> dict[str, Any]:
    """Return a scoreboard of ESPN from away teams, home teams and tip-offs."""
    return {
        "events": [
            {
                "id": str(number),
                "season": {"year": 2026, "type": 2},
                "competitions": [
                    {
                        "date": _utc(tipoff),
                        "competitors": [
                            {"homeAway": "home", "team": {"abbreviation": home}},
                            {"homeAway": "away", "team": {"abbreviation": away}},
                        ],
                        "status": {"type": {"name": "STATUS_SCHEDULED", "completed": False}},
                    }
                ],
            }
            for number, (away, home, tipoff) in enumerate(games)
        ]
    }


def odds(frame: pl.DataFrame, at: datetime, start: datetime | None = None) -> dict[str, Any]:
    """Return the odds of one event from its lines."""
    game = frame.row(0, named=True)
    bookmakers = []
    for (book,), quotes in frame.group_by("bookmaker", maintain_order=True):
        outcomes = [
            {"name": side, "description": player, "price": price, "point": line}
            for player, side, line, price in quotes.select(
                "player", "side", "line", "price"
            ).iter_rows()
        ]
        market = {"key": "player_points", "last_update": _utc(at), "outcomes": outcomes}
        bookmakers.append({"key": book, "title": book, "markets": [market]})
    return {
        "id": game["game_id"],
        "sport_key": "basketball_nba",
        "commence_time": _utc(start or game["commence_time"]),
        "home_team": FULL_NAMES[game["home_team"]],
        "away_team": FULL_NAMES[game["away_team"]],
        "bookmakers": bookmakers,
    }


def report(
    rows: Iterable[tuple[str, str, str, str]],
    day: date,
    at: datetime,
    not_submitted: Collection[str] = (),
) -> bytes:
    """Return the injury report of a date from teams, players, statuses and reasons.

    `at` is the moment in the masthead, which has no seconds.
    """
    lines = [
        Line(
            ", ".join(reversed(player.split(" ", 1))),
            status.title(),
            (reason,),
            FULL_NAMES[team],
        )
        for team, player, status, reason in rows
    ]
    lines += [Line(reason=("NOT YET SUBMITTED",), team=FULL_NAMES[t]) for t in not_submitted]
    lines = [Line(**{**vars(line), "day": f"{day:%m/%d/%Y}"}) for line in lines]
    pages = [lines[n : n + _ROWS_OF_PAGE] for n in range(0, len(lines), _ROWS_OF_PAGE)]
    return draw(pages, f"Injury Report: {at.astimezone(EASTERN):%m/%d/%y %I:%M %p}")


def land_season(
    zone: LandingZone, frames: Frames, season: str, days: Collection[date], at: datetime
) -> None:
    """Land a season: box scores and schedule, and lines and injury reports of some dates."""
    land(
        zone,
        ("nba_stats", "leaguegamelog", f"{season}.regular-season"),
        game_log(frames["player_game_logs"]),
        at,
    )
    land(zone, ("nba_cdn", "schedule", season), league_schedule(frames["schedule"], at), at)
    for day in days:
        lines = lines_of(frames, day)
        for (event,), quotes in lines.group_by("game_id", maintain_order=True):
            land(zone, ("odds_api", "odds", f"{day}.{event}"), odds(quotes, at), at)
        rows = frames["injuries"].filter(pl.col("game_date") == day)
        if not rows.is_empty():
            body = report(rows.select("team", "player", "status", "reason").iter_rows(), day, at)
            slot = f"{at.astimezone(EASTERN):%H_%M}"
            land(zone, ("injury_report", "report", f"{day}.{slot}"), body, at)


def lines_of(frames: Frames, day: date) -> pl.DataFrame:
    """Return the lines for the games of a date."""
    start = pl.col("commence_time").dt.convert_time_zone(EASTERN.key).dt.date()
    return frames["points_lines"].filter(start == day)
