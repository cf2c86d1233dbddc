"""Metadata for the Dagster UI: tables, plots and summaries of frames."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from statistics import median

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.market import registered_markets
from nba_predictions.inputs.account import InputAccount
from nba_predictions.logs import milestone
from nba_predictions.report.formatting import Schema, escaped, markdown_table
from nba_predictions.report.night import inputs_table
from nba_predictions.report.page import data_uri


def table(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Return a frame as a Markdown table, or `none` if it has no rows."""
    return dg.MetadataValue.md(markdown_table(frame) if frame.height else "none")


def picture(draw: Callable[[], bytes], alt: str) -> dg.MarkdownMetadataValue:
    """Return a plot as an embedded image. It is stored in the event log, so it must be small.

    If it cannot be drawn, the text says so: a plot must not fail a night.
    """
    try:
        png = draw()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        milestone("plot_failed", f"{alt}: {reason}", severity=logging.WARNING)
        return dg.MetadataValue.md(escaped(f"not drawn: {reason}"))
    return dg.MetadataValue.md(f"![{alt}]({data_uri(png)})")


def input_frame(frame: pl.DataFrame) -> dict[str, dg.MetadataValue | int | str]:
    """Return a summary of an input: rows, dates, players, games and breakdowns."""
    summary: dict[str, dg.MetadataValue | int | str] = {"dagster/row_count": frame.height}
    if "game_date" in frame.columns and frame.height:
        days = frame["game_date"]
        summary |= {
            "dates": days.n_unique(),
            "oldest": _day(days.min()),
            "newest": _day(days.max()),
        }
    for column, name in (("player_lookup", "players"), ("game_id", "games")):
        if column in frame.columns:
            summary[name] = frame[column].n_unique()
    for columns, name in _BREAKDOWNS:
        if set(columns) <= set(frame.columns):
            counted = frame.group_by(columns).agg(rows=pl.len()).sort(columns)
            summary[name] = table(counted)
    return summary


#: Columns by which the rows of an input are counted, with the name of the table.
_BREAKDOWNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("season",), "by_season"),
    (("book", "line_source"), "by_book"),
    (("status",), "by_status"),
    (("game_id", "away_team", "home_team", "tipoff"), "games_of_the_date"),
)


def missing_values(features: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """Return the features with missing values and their counts, the largest first."""
    counted = {name: features[name].null_count() for name in names if name in features.columns}
    missing = pl.DataFrame(
        [(name, count) for name, count in counted.items() if count],
        schema={"feature": pl.String, "missing": pl.Int64},
        orient="row",
    )
    share = pl.col("missing") / max(features.height, 1)
    return missing.with_columns(share=share).sort(["missing", "feature"], descending=[True, False])


def model_table(card: Mapping[str, object], weights: Mapping[str, float]) -> pl.DataFrame:
    """Return the metrics of a model card by system, with the weights in the ensemble."""
    metrics = card.get("metrics")
    by_system: Mapping[str, Mapping[str, float]] = metrics if isinstance(metrics, Mapping) else {}
    rows = [
        {"system_id": name, "weight_in_ensemble": weights.get(name), **by_system.get(name, {})}
        for name in sorted({*by_system, *weights})
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def slate_by_game(slate: Slate) -> pl.DataFrame:
    """Return the number of players, and of players with a line, by game and market."""
    columns: Schema = {
        **dict.fromkeys(("game_id", "away_team", "home_team", "market"), pl.String),
        **dict.fromkeys(("players", "with_line"), pl.Int64),
        "median_line": pl.Float64,
    }
    rows = []
    for game in slate.games:
        players = [p for p in slate.players if p.game_id == game.game_id]
        for market in registered_markets():
            quoted = [p.market(market.name).base_line for p in players]
            lines = [float(line) for line in quoted if line is not None]
            names = (game.game_id, game.away_team, game.home_team, market.name)
            rows.append((*names, len(players), len(lines), median(lines) if lines else None))
    return pl.DataFrame(rows, schema=columns, orient="row")


#: So many rejected rows are shown in full.
_SHOWN_ROWS = 20


def input_accounts(accounts: Sequence[InputAccount]) -> dict[str, dg.MetadataValue | int]:
    """Return the outcome of the input rows: by file and reason, and the first rejected rows."""
    files = [asdict(account.summary()) for account in accounts if account.read]
    unread = [{"file": a.path, "note": a.note} for a in accounts if not a.read]
    rejected = [asdict(row) for account in accounts for row in account.rejected]
    return {
        "files": table(inputs_table(files)),
        "unread_files": table(pl.DataFrame(unread)),
        "rejected_rows": len(rejected),
        "first_rejected_rows": table(pl.DataFrame(rejected[:_SHOWN_ROWS])),
    }


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else "-"
