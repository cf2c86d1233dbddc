"""What the documents of ESPN share: the games of its scoreboard and of its summaries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.inputs.importing.games import TEAMS, team
from nba_predictions.inputs.importing.tables import Game
from nba_predictions.inputs.importing.values import ConversionError, Node

#: The first digit of SEASON_ID for each type of season of ESPN that counts.
_KINDS: Final = {2: 2, 3: 4, 5: 5}
_PRESEASON: Final = 1


@dataclass(frozen=True)
class Season:
    """The season of a game. `season_id` is None if it is unknown or does not count."""

    season_id: int | None
    is_preseason: bool


def season(node: Node) -> Season:
    """Read a season: its last year and its type. A document may lack it."""
    if node.value is None:
        return Season(None, is_preseason=False)
    kind, year = node["type"].whole(), node["year"].whole()
    counts = kind in _KINDS and year is not None
    return Season(
        _KINDS[kind or 0] * 10_000 + (year or 0) - 1 if counts else None, kind == _PRESEASON
    )


def only_competition(node: Node) -> Node:
    """Return the competition of an event or a header: the game itself."""
    competitions = node["competitions"].items()
    if len(competitions) != 1:
        raise node["competitions"].error("a list with one game")
    return competitions[0]


def tipoff(competition: Node) -> datetime:
    """Return the moment of a game's start. It may be a placeholder if `timeValid` is false."""
    start = competition["date"].moment()
    if start is None:
        raise competition["date"].error("a time")
    return start


def game_day(competition: Node) -> date:
    """Return the date of a game in US Eastern time."""
    return eastern_date(tipoff(competition))


def sides(competition: Node) -> tuple[str | None, str | None]:
    """Return the abbreviations of the away team and the home team. None is no team of the NBA."""
    by_side = {
        competitor["homeAway"].text(): competitor["team"]["abbreviation"]
        for competitor in competition["competitors"].items()
    }
    if set(by_side) != {"away", "home"}:
        raise competition["competitors"].error("a list with an away team and a home team")
    return _nba_team(by_side["away"]), _nba_team(by_side["home"])


def _nba_team(node: Node) -> str | None:
    try:
        found = team(node)
    except ConversionError:
        return None
    return found if found in TEAMS else None


def game(competition: Node) -> Game:
    """Return the game of two NBA teams.

    Raises:
        ConversionError: a side is not a team of the NBA.
    """
    away, home = sides(competition)
    if away is None or home is None:
        raise competition["competitors"].error("a list with two teams of the NBA")
    is_neutral = competition["neutralSite"].value is True
    return Game(game_day(competition), (away, home), None if is_neutral else home)
