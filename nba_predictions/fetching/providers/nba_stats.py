"""stats.nba.com: the box scores of a season, and the players with their teams."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from nba_predictions.fetching.client import Ask, Judgment
from nba_predictions.fetching.providers.bodies import broken, object_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import LOGS

PROVIDER: Final = "nba_stats"
LOG, PLAYERS = "leaguegamelog", "playerindex"
#: The kinds of season, by their part of the key. `IST` is the final of the NBA Cup.
SEASON_TYPES: Final = {
    "regular-season": "Regular Season",
    "cup": "IST",
    "play-in": "PlayIn",
    "playoffs": "Playoffs",
}
#: Headers of a current browser. Without them, the host does not answer. They are what breaks.
HEADERS: Final = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36",
    "Accept": "application/json, text/plain, */*",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en-US,en;q=0.5",
    "Cache-Control": "no-cache",
    "Origin": "https://www.nba.com",
    "Pragma": "no-cache",
    "Referer": "https://www.nba.com/",
    "Sec-Ch-Ua": '"Chromium";v="149", "Google Chrome";v="149", "Not)A;Brand";v="24"',
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Windows"',
}
_LOG_COLUMNS: Final = (
    *("SEASON_ID", "PLAYER_ID", "PLAYER_NAME", "TEAM_ABBREVIATION", "GAME_ID", "GAME_DATE"),
    *("MATCHUP", "MIN", "FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "AST", "STL"),
    *("BLK", "TOV", "PF", "PTS"),
)
_PLAYER_COLUMNS: Final = ("PERSON_ID", "PLAYER_FIRST_NAME", "PLAYER_LAST_NAME", "TEAM_ABBREVIATION")
_NO_CHOICE: Final = (
    *("Active", "AllStar", "College", "Country", "DraftPick", "DraftRound", "DraftYear", "Height"),
    *("Historical", "TeamID", "Weight"),
)


def log_key(season: str, kind: str) -> str:
    """Return the key of the box scores of a season and one of SEASON_TYPES."""
    return f"{season}.{kind}"


def kinds_until(season: str, day: date) -> tuple[str, ...]:
    """Return the kinds of a season that have begun by a date.

    >>> kinds_until("2026-27", date(2026, 11, 25)), kinds_until("2026-27", date(2027, 4, 20))[1:]
    (('regular-season',), ('cup', 'play-in', 'playoffs'))
    """
    first_year = int(season[:4])
    begins = {
        "regular-season": date.min,
        "cup": date(first_year, 12, 10),
        "play-in": date(first_year + 1, 4, 8),
        "playoffs": date(first_year + 1, 4, 8),
    }
    return tuple(kind for kind, first in begins.items() if day >= first)


def game_log(
    base: str, season: str, kind: str, headers: Mapping[str, str], rows_before: int
) -> Ask:
    """Return the request for all player rows of a season.

    Args:
        base: the base URL of the service.
        season: the season, as in 2026-27.
        kind: one of SEASON_TYPES.
        headers: those of the request.
        rows_before: the rows of the newest answer. Fewer are refused.
    """
    query = {
        "Counter": "0",
        "DateFrom": "",
        "DateTo": "",
        "Direction": "ASC",
        "LeagueID": "00",
        "PlayerOrTeam": "P",
        "Season": season,
        "SeasonType": SEASON_TYPES[kind],
        "Sorter": "DATE",
    }

    def judge(answer: Answer) -> Judgment:
        rows, error = _rows(answer, _LOG_COLUMNS)
        if error is None and rows < rows_before:
            problem = f"the season shrank from {rows_before} to {rows} rows; it is not used"
            return Judgment(Outcome.REFUSED, problem)
        return error or Judgment(Outcome.NEW)

    resource = Resource(PROVIDER, LOG, log_key(season, kind))
    return Ask(LOGS, resource, _url(base, LOG, query), judge, headers)


def players(base: str, season: str, headers: Mapping[str, str]) -> Ask:
    """Return the request for all players of a season with their ids and teams."""
    query = {**dict.fromkeys(_NO_CHOICE, ""), "LeagueID": "00", "Season": season}

    def judge(answer: Answer) -> Judgment:
        rows, error = _rows(answer, _PLAYER_COLUMNS)
        if error is None and not rows:
            return broken("the list of players is empty")
        return error or Judgment(Outcome.NEW)

    return Ask(
        "roster", Resource(PROVIDER, PLAYERS, season), _url(base, PLAYERS, query), judge, headers
    )


def row_count(body: bytes) -> int:
    """Return the number of rows of a landed answer."""
    rows, error = _rows(Answer(200, body), ())
    return 0 if error else rows


def _url(base: str, endpoint: str, query: Mapping[str, str]) -> str:
    # Some endpoints fail if the parameters are in another order.
    return f"{base}/{endpoint}?{urlencode(sorted(query.items()))}"


def _rows(answer: Answer, columns: tuple[str, ...]) -> tuple[int, Judgment | None]:
    """Return the number of rows of the first table, or the judgment of any other answer."""
    value, error = object_of(answer)
    if error is not None:
        return 0, error
    if "Message" in value or "message" in value:
        problem = str(value.get("Message") or value.get("message"))[:120]
        return 0, broken(f"an error of the service: {problem}", again=True)
    tables: Any = value.get("resultSets")
    table = tables[0] if isinstance(tables, list) and tables else None
    if not isinstance(table, dict) or not isinstance(table.get("rowSet"), list):
        return 0, broken("the answer has no table (resultSets)")
    found = table.get("headers")
    names = found if isinstance(found, list) else []
    missing = [column for column in columns if column not in names]
    if missing:
        return 0, broken(f"the columns {', '.join(missing)} are missing")
    return len(table["rowSet"]), None
