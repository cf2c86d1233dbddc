"""Small input folders: four players of two teams, three games, and a game to predict."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from nba_predictions.domain.policies.input_gates import GateThresholds
from nba_predictions.inputs.files import FilesSource
from nba_predictions.nightly.slate_preview import preview_slate

#: The date to predict. Its game is PHX at DEN, with the tip-off TIPOFF.
DAY = date(2025, 1, 10)
TIPOFF = "2025-01-11T02:10:00Z"
AFTERWARDS = datetime(2025, 1, 20, tzinfo=timezone.utc)
_PLAYERS = (
    (11, "Otis Denver", "DEN"),
    (12, "Pavel Denver", "DEN"),
    (21, "Otis Phoenix", "PHX"),
    (22, "Pavel Phoenix", "PHX"),
)
PLAYED = ("2025-01-04", "2025-01-06", "2025-01-08")

Row = dict[str, Any]


def log(player_id: int, name: str, team: str, day: str, **changes: Any) -> Row:
    """Return a row of a box score: 24 points in 33 minutes."""
    matchup = "DEN vs. PHX" if team == "DEN" else "PHX @ DEN"
    row: Row = {"SEASON_ID": 22024, "PLAYER_ID": player_id, "PLAYER_NAME": name}
    row |= {"TEAM_ABBREVIATION": team, "GAME_DATE": day, "MATCHUP": matchup, "MIN": 33}
    row |= {"FGM": 9, "FGA": 19, "FG3M": 2, "FG3A": 6, "FTM": 4, "FTA": 5, "OREB": 1, "DREB": 4}
    row |= {"AST": 3, "STL": 1, "BLK": 0, "TOV": 2, "PF": 2, "PTS": 24}
    return row | changes


def logs(**changes: Any) -> list[Row]:
    return [log(*player, day, **changes) for day in PLAYED for player in _PLAYERS]


def line(side: str, points: float, price: int | str = -110, **changes: Any) -> Row:
    """Return a quote of Otis Denver, by default of the day of the game."""
    row: Row = {"player": "Otis Denver", "market": "player_points", "bookmaker": "draftkings"}
    row |= {"side": side, "line": points, "price": price, "home_team": "DEN", "away_team": "PHX"}
    row |= {"commence_time": TIPOFF, "snap": "01_10_2025"}
    return row | changes


def both(
    points: float, over: int | str = -110, under: int | str = -110, **changes: Any
) -> list[Row]:
    return [line("Over", points, over, **changes), line("Under", points, under, **changes)]


def game(**changes: Any) -> Row:
    row = {"game_date": DAY.isoformat(), "away_team": "PHX", "home_team": "DEN", "tipoff": TIPOFF}
    return row | changes


@dataclass(frozen=True)
class Folder:
    """An input folder, and what the slate of the date is when it is read."""

    path: Path

    def write(self, name: str, rows: Iterable[Mapping[str, Any]], separator: str = ",") -> None:
        rows = list(rows)
        columns = dict.fromkeys(column for row in rows for column in row)
        with (self.path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns), restval="", delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)

    def slate(self, as_of: datetime = AFTERWARDS, day: date = DAY) -> dict[str, Any]:
        """Return the slate of the date, in the form of `nba-predictions slate --json`."""
        preview = preview_slate(FilesSource(self.path), day, as_of, GateThresholds())
        return preview.to_json()


def player(slate: Mapping[str, Any], lookup: str = "otisdenver") -> dict[str, Any]:
    """Return a player on a slate."""
    (found,) = (each for each in slate["players"] if each["player_lookup"] == lookup)
    return dict(found)


def gate(slate: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the result of a gate."""
    (found,) = (each for each in slate["gates"] if each["name"] == name)
    return dict(found)


def dropped(slate: Mapping[str, Any], kind: str) -> dict[str, int]:
    """Return the numbers of rows that rules left out of one kind of input, by reason."""
    counts: dict[str, int] = {}
    for each in slate["inputs"]:
        if each["kind"] == kind:
            for reason, number in each["dropped"].items():
                counts[reason] = counts.get(reason, 0) + number
    return counts


def superseded(slate: Mapping[str, Any], kind: str) -> int:
    return sum(each["superseded"] for each in slate["inputs"] if each["kind"] == kind)
