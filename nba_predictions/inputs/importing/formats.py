"""The formats that can be imported. To add one, write its module and add it to FORMATS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from nba_predictions.inputs.importing import (
    espn_box_score,
    espn_injuries,
    espn_scoreboard,
    injury_pdf,
    line_tables,
    nba_box_score,
    nba_players,
    nba_schedule,
    nba_tables,
    odds_api,
    prizepicks,
    schedule_tables,
    underdog,
)
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.tables import Context, Conversion
from nba_predictions.inputs.importing.values import ConversionError


@dataclass(frozen=True)
class Format:
    """A format of documents.

    Attributes:
        name: what the command prints.
        kind: the kind of input; empty for a format that only adds to the context of the call.
        content: what the documents are, for people.
        recognizes: whether a document has this format, by its content.
        convert: returns the rows of a document.
    """

    name: str
    kind: str
    content: str
    recognizes: Callable[[Document], bool]
    convert: Callable[[Document, Context], Conversion]


#: In the order in which they are tried.
FORMATS: Final = (
    Format(
        "nba_injury_report",
        "injuries",
        "the injury report of the league (PDF)",
        injury_pdf.recognizes,
        injury_pdf.convert,
    ),
    Format(
        "nba_schedule",
        "schedule",
        "scheduleLeagueV2, scoreboardv3 or todaysScoreboard of the NBA (JSON)",
        nba_schedule.recognizes,
        nba_schedule.convert,
    ),
    Format(
        "nba_box_score",
        "player_game_logs",
        "boxscoretraditionalv3 or the live box score of one game (JSON)",
        nba_box_score.recognizes,
        nba_box_score.convert,
    ),
    Format(
        "odds_api",
        "points_lines",
        "odds of events of The Odds API v4 (JSON)",
        odds_api.recognizes,
        odds_api.convert,
    ),
    Format(
        "prizepicks",
        "points_lines",
        "projections of PrizePicks (JSON)",
        prizepicks.recognizes,
        prizepicks.convert,
    ),
    Format(
        "underdog",
        "points_lines",
        "over_under_lines of Underdog (JSON)",
        underdog.recognizes,
        underdog.convert,
    ),
    Format(
        "espn_box_score",
        "player_game_logs",
        "the summary of one game of ESPN (JSON)",
        espn_box_score.recognizes,
        espn_box_score.convert,
    ),
    Format(
        "espn_injuries",
        "injuries",
        "injuries of ESPN (JSON)",
        espn_injuries.recognizes,
        espn_injuries.convert,
    ),
    Format(
        "espn_scoreboard",
        "schedule",
        "the scoreboard of a date of ESPN (JSON)",
        espn_scoreboard.recognizes,
        espn_scoreboard.convert,
    ),
    Format(
        "nba_game_log",
        "player_game_logs",
        "leaguegamelog, playergamelogs, playergamelog or boxscoretraditionalv2 of players, as an "
        "answer of stats.nba.com or as exported by nba_api (JSON, CSV, Parquet)",
        nba_tables.recognizes,
        nba_tables.convert,
    ),
    Format(
        "line_table",
        "points_lines",
        "lines of fantasy operators with the columns player, stat_type and line (CSV, JSON, "
        "Parquet)",
        line_tables.recognizes,
        line_tables.convert,
    ),
    Format(
        "schedule_table",
        "schedule",
        "games with the columns game_date, away_team and home_team (CSV, JSON, Parquet)",
        schedule_tables.recognizes,
        schedule_tables.convert,
    ),
    Format(
        "nba_players",
        "",
        "lists of players with their ids, for the names of a playergamelog (JSON, CSV)",
        nba_players.recognizes,
        nba_players.convert,
    ),
)


def detect(document: Document, kind: str | None = None) -> Format:
    """Return the format of a document.

    Args:
        document: the document.
        kind: the only kind of input that is acceptable; None for all.

    Raises:
        ConversionError: the document has no known format, or one of another kind.
    """
    found = [f for f in FORMATS if f.recognizes(document)]
    fitting = [f for f in found if not f.kind or kind in (None, f.kind)]
    if fitting:
        return fitting[0]
    if found:
        raise ConversionError(
            f"it is {found[0].content}, which is {found[0].kind} and not {kind}; omit --kind"
        )
    raise ConversionError(_described(document))


def known_formats() -> str:
    """Return the contents of all formats as one text."""
    return "; ".join(f.content for f in FORMATS)


def _described(document: Document) -> str:
    """Return what an unknown document is."""
    value: Any = None if document.root is None else document.root.value
    if isinstance(value, dict):
        for key in ("message", "Message", "error", "errors"):
            if key in value:
                return f"it is an error of a service ({value[key]!s:.120}); fetch it again"
    if document.tables:
        columns = ", ".join(document.tables[0].columns[:12])
        return f"it is a table with the columns {columns}, which is no known format"
    if isinstance(value, dict):
        return f"it is a JSON object with {', '.join(list(map(str, value))[:12]) or 'nothing'}"
    if not value:
        return "it is an empty JSON list, so its kind is unknown; remove it"
    return f"it is a JSON list of {type(value[0]).__name__} values, which is no known format"
