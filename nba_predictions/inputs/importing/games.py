"""What several formats share about games: identifiers, teams, dates and counts of box scores."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final

from nba_predictions.domain.league.games import (
    EASTERN,
    TEAM_ALIASES,
    TEAM_NAMES,
    eastern_date,
    team_abbreviation,
)
from nba_predictions.inputs.importing.tables import Context, Row
from nba_predictions.inputs.importing.values import ConversionError, MissingContextError, Node

TEAMS: Final = frozenset(TEAM_NAMES.values())
#: Kinds of games by the third digit of GAME_ID that are not part of the season, and why.
OTHER_GAMES: Final = {"1": "preseason", "3": "all_star"}
_NAMES_BY_LOWER: Final = {
    **{name.lower().split()[-1]: team for name, team in TEAM_NAMES.items()},
    "trail blazers": "POR",
    **{name.lower(): team for name, team in TEAM_NAMES.items()},
}


def game_id(node: Node) -> str | None:
    """Return the ten digits of a GAME_ID, also if a spreadsheet removed the leading zeros."""
    text = node.text()
    if text is None:
        return None
    digits = text.partition(".")[0].zfill(10)
    if len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        raise node.error("the id of a game, as in 0022400001")
    return digits


def season_id(game: str) -> int:
    """Return the SEASON_ID of a game: the digit of its kind, and the first year of the season.

    >>> season_id("0022400001"), season_id("0049900401")
    (22024, 41999)
    """
    year = int(game[3:5])
    return int(game[2]) * 10_000 + year + (1900 if year > 45 else 2000)


def team(node: Node) -> str | None:
    """Return the abbreviation of a team that is given by its full name, its name without the city
    or its abbreviation, in any case.
    """
    text = node.text()
    if text is None:
        return None
    found = _NAMES_BY_LOWER.get(text.lower()) or team_abbreviation(text.upper())
    if found is None:
        raise node.error("a team")
    return found


def sides(game: Node) -> tuple[str | None, str | None]:
    """Return the abbreviations of the away team and the home team of a game of the NBA's JSON."""
    away, home = (
        None if game[side].value is None else game[side]["teamTricode"].text()
        for side in ("awayTeam", "homeTeam")
    )
    return (
        None if away is None else TEAM_ALIASES.get(away, away),
        None if home is None else TEAM_ALIASES.get(home, home),
    )


def day_of_code(code: Node) -> date | None:
    """Return the date in a gameCode, as in `20261125/NYKBOS`; None if there is none."""
    text = str(code.value)[:8]
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        return None


def day_of_game(game: Node) -> date | None:
    """Return the date of a game of the NBA's JSON in US Eastern time, None if it has none.

    `gameDateEst` and `gameEt` are local times, although they may end in `Z`.
    """
    day = day_of_code(game["gameCode"])
    for local in (game["gameDateEst"], game["gameEt"]):
        if day is None and isinstance(local.value, str):
            day = Node(local.path, local.value[:10]).day()
    if day is None:
        start = game["gameTimeUTC"].moment()
        day = None if start is None else eastern_date(start)
    return day


def tipoff(start: Node, status: Node) -> datetime | None:
    """Return the tip-off, None if it is not decided yet: then it is midnight US Eastern."""
    moment = start.moment_or_none()
    if moment is None or "TBD" in str(status.value).upper():
        return None
    local = moment.astimezone(EASTERN)
    return None if (local.hour, local.minute) == (0, 0) else moment


def is_postponed(game: Node) -> bool:
    """Return whether a game is off on its date."""
    status = str(game["gameStatusText"].value or "").strip().upper()
    flag = str(game["postponedStatus"].value or "N").strip().upper()
    return flag not in ("N", "") or status.startswith(("PPD", "POSTPONED", "CANCEL"))


#: The names of the counts of a box score, reduced to letters and digits, in all forms.
COUNT_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "FGM": ("fgm", "fieldgoalsmade"),
    "FGA": ("fga", "fieldgoalsattempted"),
    "FG3M": ("fg3m", "threepointersmade"),
    "FG3A": ("fg3a", "threepointersattempted"),
    "FTM": ("ftm", "freethrowsmade"),
    "FTA": ("fta", "freethrowsattempted"),
    "OREB": ("oreb", "reboundsoffensive"),
    "DREB": ("dreb", "reboundsdefensive"),
    "REB": ("reb", "reboundstotal"),
    "AST": ("ast", "assists"),
    "STL": ("stl", "steals"),
    "BLK": ("blk", "blocks"),
    "TOV": ("tov", "to", "turnovers"),
    "PF": ("pf", "foulspersonal"),
    "PTS": ("pts", "points"),
}


#: No count of a player in a game is greater.
_MOST_COUNTED: Final = 200


def counts(row: Node, columns: dict[str, str], played: bool) -> dict[str, Any]:
    """Return the counts of one player.

    Args:
        row: the object with the statistics.
        columns: the name in `row` of each count; REB may be missing.
        played: a player who did not play has no counts. All others need every count but REB.
    """
    values: dict[str, Any] = {}
    cells = row.value if isinstance(row.value, dict) else {}
    for name, column in columns.items():
        value = cells.get(column)
        if played and type(value) is int and 0 <= value <= _MOST_COUNTED:
            # Nearly all values. The rest of the loop is for the others.
            values[name] = value
            continue
        value = row[column].whole() if played else None
        if played and value is None and name != "REB":
            raise row[column].error("a number")
        if value is not None and not 0 <= value <= _MOST_COUNTED:
            raise row[column].error(f"a number from 0 to {_MOST_COUNTED}")
        values[name] = value
    return values


def require_team(abbreviation: str | None, node: Node) -> str:
    """Return the abbreviation of a team, which must exist."""
    if abbreviation is None:
        raise node.error("a team")
    return abbreviation


def teams_of_line(own: str, opponent: Node, day: date, context: Context) -> Row:
    """Return the columns home_team and away_team for the team of a player.

    The opponent may be written as `LAL`, `vs LAL` (own team at home) or `@ LAL`. Without one, it is
    that of the schedule of the same call. If the home team is not known, it is the later one in the
    alphabet: all lines of the game then name the same one, and the source swaps the teams to match
    the schedule.
    """
    text = opponent.text()
    game = context.game_of(own, day)
    venue = ""
    if text is not None:
        found = re.fullmatch(r"(@\s*|at\s+|vs?\.?\s+)?(.+)", text, re.IGNORECASE)
        assert found is not None, "the text is not empty"
        name = Node(opponent.path, found[2])
        other, venue = require_team(team(name), name), (found[1] or "").strip().lower()
    elif game is not None:
        other = next(name for name in game.teams if name != own)
    else:
        raise MissingContextError(
            f"{opponent.path}: the opponent of {own} on {day} is missing; add it, or import the "
            "schedule of this date in the same call"
        )
    if own == other:
        raise ConversionError(f"{opponent.path}: {own} plays against itself; correct the opponent")
    home = max(own, other)
    if game is not None and other in game.teams and game.home is not None:
        home = game.home
    elif venue:
        home = other if venue in ("@", "at") else own
    return {"home_team": home, "away_team": other if home == own else own}
