"""Fetch the games: the schedule, the box scores, and the players with their teams."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import (
    eastern_date,
    end_of_eastern_day,
    season_of,
    start_of_eastern_day,
)
from nba_predictions.fetching.fetch import Fetch
from nba_predictions.fetching.providers import espn, nba_cdn, nba_stats
from nba_predictions.inputs.landing.zone import Resource

#: Answers younger than this are not asked for again. The edges of stats.nba.com keep a season log
#: for half an hour.
_LOG_MIN_AGE: Final = timedelta(minutes=30)
#: The box scores of the final, the play-in and the playoffs change seldom.
_OTHER_LOGS_MIN_AGE: Final = timedelta(hours=6)
#: Of a season that is over, unless its answer came after its end.
_PAST_LOGS_MIN_AGE: Final = timedelta(hours=24)
_PLAYERS_MIN_AGE: Final = timedelta(hours=24)
_SCHEDULE_MIN_AGE: Final = timedelta(minutes=15)
_SCOREBOARD_MIN_AGE: Final = timedelta(minutes=5)
#: The months in which the regular season has games, with a margin.
_REGULAR_SEASON: Final = frozenset({11, 12, 1, 2, 3})
#: The months without games.
_OFF_SEASON: Final = frozenset({7, 8, 9})
#: The days before a date whose missing box scores are asked for game by game.
_RECENT_DAYS: Final = 3
#: A game lasts about this long. Its box score is not expected before.
_GAME: Final = timedelta(hours=3)


def fetch_schedule(fetch: Fetch) -> None:
    """Fetch the schedule; the scoreboard of ESPN if the schedule does not reach the date.

    The file of the league exists also without the season: in summer, it has preseason games only.
    """
    season = season_of(fetch.game_date)
    ask = nba_cdn.schedule(
        fetch.services.nba_cdn_url, season, fetch.services.headers, len(_days(fetch))
    )
    good = fetch.is_fresh(ask.resource, _SCHEDULE_MIN_AGE) or fetch.good(ask)
    days = _days(fetch)
    reaches = bool(days) and fetch.game_date <= days[-1]
    if not reaches and fetch.game_date.month in _REGULAR_SEASON:
        fetch.problem(f"the schedule of the league does not reach {fetch.game_date}")
    if not (good and reaches) and fetch.game_date.month not in _OFF_SEASON:
        fetch_scoreboard(fetch, fetch.game_date)


def has_no_games(fetch: Fetch) -> bool:
    """Return whether the date certainly has no games.

    Its month, the schedule, or a scoreboard of this moment may say so.
    """
    if fetch.game_date.month in _OFF_SEASON:
        return True
    days = _days(fetch)
    if days and fetch.game_date <= days[-1]:
        return fetch.game_date not in days
    board = Resource(espn.PROVIDER, espn.SCOREBOARD, fetch.game_date.isoformat())
    if not fetch.is_fresh(board, _SCOREBOARD_MIN_AGE):
        return False
    return not espn.has_games(fetch.landed(board) or b"")


def fetch_scoreboard(fetch: Fetch, day: date) -> None:
    """Fetch the scoreboard of ESPN for a date."""
    ask = espn.scoreboard(fetch.services.espn_url, day, fetch.services.headers)
    if not fetch.is_fresh(ask.resource, _SCOREBOARD_MIN_AGE):
        fetch.good(ask)


def fetch_roster(fetch: Fetch) -> None:
    """Fetch the players and their teams. In summer, the list of the new season may be empty."""
    if fetch.game_date.month in _OFF_SEASON and not fetch.whatever_is_landed:
        return
    ask = nba_stats.players(
        fetch.services.nba_stats_url, season_of(fetch.game_date), fetch.services.headers
    )
    if not fetch.is_fresh(ask.resource, _PLAYERS_MIN_AGE):
        fetch.good(ask)


def fetch_box_scores(fetch: Fetch) -> None:
    """Fetch the season of the date; from ESPN the recent games that it lacks."""
    season = season_of(fetch.game_date)
    for kind in nba_stats.kinds_until(season, eastern_date(utc_now())):
        fetch_log(fetch, season, kind)
    _fetch_missing(fetch)


def fetch_log(fetch: Fetch, season: str, kind: str) -> bool:
    """Fetch the box scores of a season, always all of them; return whether they are there.

    Scores are corrected for days. A season whose answer came after its end is not asked for again.
    """
    resource = Resource(nba_stats.PROVIDER, nba_stats.LOG, nba_stats.log_key(season, kind))
    newest = fetch.zone.newest(resource)
    landed = fetch.landed(resource)
    end = start_of_eastern_day(date(int(season[:4]) + 1, min(_OFF_SEASON), 1))
    is_final = newest is not None and landed is not None and newest.fetched_at >= end
    min_age = _LOG_MIN_AGE if kind == "regular-season" else _OTHER_LOGS_MIN_AGE
    min_age = _PAST_LOGS_MIN_AGE if utc_now() >= end else min_age
    if (is_final and not fetch.whatever_is_landed) or fetch.is_fresh(resource, min_age):
        return True
    rows = 0 if landed is None else nba_stats.row_count(landed)
    return fetch.good(
        nba_stats.game_log(fetch.services.nba_stats_url, season, kind, fetch.services.headers, rows)
    )


def _fetch_missing(fetch: Fetch) -> None:
    """Fetch the box scores of recent games that the season lacks, game by game."""
    last = min(fetch.game_date, eastern_date(utc_now()))
    for days in range(_RECENT_DAYS + 1):
        day = last - timedelta(days=days)
        missing = _missing_on(fetch, day)
        if not missing:
            continue
        fetch_scoreboard(fetch, day)
        board = fetch.landed(Resource(espn.PROVIDER, espn.SCOREBOARD, day.isoformat()))
        for teams, event_id in espn.final_games(board or b"").items():
            ask = espn.summary(fetch.services.espn_url, day, event_id, fetch.services.headers)
            if teams in missing and fetch.landed(ask.resource) is None:
                fetch.good(ask)


def _missing_on(fetch: Fetch, day: date) -> set[frozenset[str]]:
    """Return the teams of the games of a date that should be over and lack a box score."""
    try:
        games = fetch.league.schedule(day)
        played = set(fetch.league.box_scores(day)["game_id"])
    except SourceDataError as error:
        fetch.problem(str(error))
        return set()
    over = utc_now() - _GAME
    return {
        frozenset((away, home))
        for game_id, away, home, tipoff in games.select(
            "game_id", "away_team", "home_team", "tipoff"
        ).iter_rows()
        if (tipoff or end_of_eastern_day(day)) < over and game_id not in played
    }


def _days(fetch: Fetch) -> list[date]:
    """Return the date of each game of the schedule of the season, in order."""
    body = fetch.landed(Resource(nba_cdn.PROVIDER, nba_cdn.SCHEDULE, season_of(fetch.game_date)))
    return [] if body is None else nba_cdn.game_days(body)
