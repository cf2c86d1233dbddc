"""How numbers, tables and pictures are shown in the Dagster UI."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import date
from statistics import median

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.logs import milestone
from nba_predictions.report.formatting import Schema, escaped, markdown_table
from nba_predictions.report.html import data_uri


def table(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Show a frame as a table; one without rows as the word for that."""
    return dg.MetadataValue.md(markdown_table(frame) if frame.height else "none")


def picture(draw: Callable[[], bytes], alt: str) -> dg.MarkdownMetadataValue:
    """Show a picture. It is kept in the event log as it is: tens of kilobytes, no more.

    One that cannot be drawn is said not to be there: a night that was merged must not fail for it.
    """
    try:
        png = draw()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        milestone("plot_failed", f"{alt}: {why}", severity=logging.WARNING)
        return dg.MetadataValue.md(escaped(f"not drawn: {why}"))
    return dg.MetadataValue.md(f"![{alt}]({data_uri(png)})")


def input_frame(frame: pl.DataFrame) -> dict[str, dg.MetadataValue | int | str]:
    """Say of a frame that was read what tells a good one from a bad one at a glance."""
    said: dict[str, dg.MetadataValue | int | str] = {"dagster/row_count": frame.height}
    if "game_date" in frame.columns and frame.height:
        days = frame["game_date"]
        said |= {"dates": days.n_unique(), "oldest": _day(days.min()), "newest": _day(days.max())}
    for column, name in (("player_lookup", "players"), ("game_id", "games")):
        if column in frame.columns:
            said[name] = frame[column].n_unique()
    for columns, name in _BREAKDOWNS:
        if set(columns) <= set(frame.columns):
            counted = frame.group_by(columns).agg(rows=pl.len()).sort(columns)
            said[name] = table(counted)
    return said


#: By which columns an input is counted, and as what that is shown.
_BREAKDOWNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("season",), "by_season"),
    (("book", "line_source"), "by_book"),
    (("status",), "by_status"),
    (("game_id", "away_team", "home_team", "tipoff"), "games_of_the_date"),
)


def missing_values(features: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Return the features that are not known of everybody, and of how many not, worst first."""
    counted = {name: features[name].null_count() for name in names if name in features.columns}
    found = pl.DataFrame(
        [(name, count) for name, count in counted.items() if count],
        schema={"feature": pl.String, "missing": pl.Int64},
        orient="row",
    )
    share = pl.col("missing") / max(features.height, 1)
    return found.with_columns(share=share).sort(["missing", "feature"], descending=[True, False])


def model_table(card: Mapping[str, object], weights: Mapping[str, float]) -> pl.DataFrame:
    """Return the figures of a model card by system, with the weights in the ensemble."""
    metrics = card.get("metrics")
    by_system: Mapping[str, Mapping[str, float]] = metrics if isinstance(metrics, Mapping) else {}
    rows = [
        {"system_id": name, "weight_in_ensemble": weights.get(name), **by_system.get(name, {})}
        for name in sorted({*by_system, *weights})
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def slate_by_game(slate: Slate) -> pl.DataFrame:
    """Return the games of a slate with their players, and how many of them have a line."""
    columns: Schema = {
        **dict.fromkeys(("game_id", "away_team", "home_team"), pl.String),
        **dict.fromkeys(("players", "with_line"), pl.Int64),
        "median_line": pl.Float64,
    }
    rows = []
    for game in slate.games:
        players = [p for p in slate.players if p.game_id == game.game_id]
        lines = [float(p.base_line) for p in players if p.base_line is not None]
        middle = median(lines) if lines else None
        names = (game.game_id, game.away_team, game.home_team)
        rows.append((*names, len(players), len(lines), middle))
    return pl.DataFrame(rows, schema=columns, orient="row")


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else "-"
