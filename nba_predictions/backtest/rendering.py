"""Render an evaluation: Markdown, self-contained HTML, JSON, plots, and the predictions."""

import html
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nba_predictions.backtest import plots
from nba_predictions.backtest.evaluation import AVERAGES, LINE, Evaluation, tier_names
from nba_predictions.domain.betting.predictions import MIN_EDGE, STANDARD_PRICE
from nba_predictions.domain.market import POINTS
from nba_predictions.durable_files import write_file
from nba_predictions.report.page import data_uri

_ERROR = "absolute error"


@dataclass(frozen=True)
class Section:
    """A table with its title, a note for readers, and the name of its plot, if it has one."""

    title: str
    note: str
    table: pl.DataFrame
    plot: str | None = None


def main_sections(evaluation: Evaluation) -> Iterator[Section]:
    """Yield the tables that the command prints."""
    yield Section(
        "Errors, all rows",
        f"In {evaluation.market.name}. `vs X` is the difference of absolute errors on the same "
        "rows: below zero is better than X. Standard errors (±) are clustered by date.",
        _errors(evaluation.main_errors("all"), AVERAGES),
        "errors_by_month",
    )
    lined, offsets = evaluation.main_errors("with line"), evaluation.market.offsets
    if lined.height:
        yield Section(
            "Errors, rows with a line",
            "The line is the base line of the nights: the median of the books' main lines.",
            _errors(lined, (*AVERAGES, LINE)),
        )
        yield Section(
            "Probabilities",
            "Of an over, without pushes. A coin flip has log loss 0.693 and Brier score 0.250. "
            "Bets were possible at the `base line`. `tested lines` are the base line "
            f"{min(offsets):+} to {max(offsets):+}. The `stand-in line` is the half near each "
            "player's weighted average, on all rows. No book quotes it.",
            _probabilities(evaluation.probabilities.filter(pl.col("by") == "all")),
            "reliability",
        )
        yield Section(
            "Bets at the base line",
            f"One unit at {STANDARD_PRICE} on the more probable side, by edge: its probability "
            f"minus the break-even probability of the price. `recommended` is an edge of "
            f"{100 * MIN_EDGE:.0f}% or more. `profit` is per unit staked. Pushes return the stake.",
            _bets(evaluation.bets),
        )
    else:
        yield Section(
            "Probabilities",
            "Of an over at the half near each player's weighted average, because no row has a "
            "line. A coin flip has log loss 0.693 and Brier score 0.250.",
            _probabilities(evaluation.probabilities.filter(pl.col("by") == "all")),
            "reliability",
        )


def all_sections(evaluation: Evaluation) -> Iterator[Section]:
    """Yield all tables of the written report."""
    yield from main_sections(evaluation)
    tiers = [("tier", tier_names())] if "tier" in set(evaluation.errors["by"]) else []
    for by, order in (*tiers, ("month", None)):
        for rows in evaluation.errors["rows"].unique(maintain_order=True):
            reference = LINE if rows == "with line" else "weighted_average"
            own = evaluation.errors.filter((pl.col("by") == by) & (pl.col("rows") == rows))
            label = "expected points (weighted average before the game)" if by == "tier" else by
            yield Section(
                f"Absolute error by {by}, {rows if rows != 'all' else 'all rows'}",
                f"By {label}. In brackets: the difference to `{reference}`.",
                _pivot(own, order, "forecaster", lambda r: _num(r["mae"]), f"vs_{reference}"),
            )
        for at in evaluation.probabilities["at"].unique(maintain_order=True):
            own = evaluation.probabilities.filter((pl.col("by") == by) & (pl.col("at") == at))
            yield Section(
                f"Log loss by {by}, {at}",
                "",
                _pivot(own, order, "system", lambda r: _with_error(r, "log_loss")),
            )
    yield Section(
        "Reliability",
        "The mean forecast in each bin of probability, and the observed share of overs there.",
        evaluation.reliability.select(
            "at",
            "system",
            pl.format("{} to {}", "from", "to").alias("bin"),
            "n",
            _rounded("forecast"),
            pl.Series(
                "observed", [_with_error(r, "observed") for r in evaluation.reliability.to_dicts()]
            ),
        ),
    )
    yield Section(
        "Central ranges",
        "Shares of outcomes in the central 50% and 80% of the forecast distributions.",
        evaluation.ranges.with_columns(_rounded("in_50"), _rounded("in_80")),
    )
    yield Section("Models", "Each was trained on the games before its cutoff.", evaluation.models)


def headline(evaluation: Evaluation) -> str:
    """Describe the evaluated rows in a few sentences."""
    c, scope = evaluation.counts, evaluation.scope
    return (
        f"Market `{evaluation.market.name}`, source `{evaluation.source}`, "
        f"{evaluation.first} to {evaluation.last}, {c['game_dates']} game dates, "
        f"models trained {evaluation.retrain}. {c['judged']} of "
        f"{c['played']} rows are evaluated: players with at least {scope.min_games} games this "
        f"season and {scope.min_minutes:g} minutes in their last 10. {c['judged_with_line']} of "
        f"them have a line. {c['in_scope'] - c['judged']} rows are left out because a forecaster "
        f"has no value. {c['on_a_slate_but_did_not_play']} players of the slates did not play."
    )


def last_line(evaluation: Evaluation) -> str:
    """Return the result in one line, for programs and readers."""
    counts = evaluation.counts
    best = evaluation.main_errors("all").filter(pl.col("forecaster") == evaluation.best)
    return (
        f"BACKTEST rows={counts['judged']} with_line={counts['judged_with_line']} "
        f"best={evaluation.best} mae={best['mae'][0]:.4f} market={evaluation.market.name}"
    )


def folder_of(evaluation: Evaluation, folder: Path) -> Path:
    """Return the folder of a market's report: `folder` for points, a folder in it for others."""
    return folder if evaluation.market == POINTS else folder / evaluation.market.name


def write(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write report.md, .html, .json, the plots and predictions.parquet; return the files."""
    predictions = io.BytesIO()
    evaluation.predictions.write_parquet(predictions)
    images = {name: draw(evaluation) for name, draw in _PLOTS.items()}
    sections = list(all_sections(evaluation))
    files: dict[str, bytes] = {
        "report.md": to_markdown(evaluation, sections).encode(),
        "report.html": to_html(evaluation, sections, images).encode(),
        "report.json": json.dumps(to_json(evaluation), indent=1, default=str).encode(),
        **{f"{name}.png": image for name, image in images.items()},
        "predictions.parquet": predictions.getvalue(),
    }
    for name, content in files.items():
        write_file(folder / name, content)
    return [folder / name for name in files]


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return every number, unrounded; null if it is not known."""
    tables = ("errors", "probabilities", "reliability", "bets", "ranges", "models")
    return {
        "market": evaluation.market.name,
        "source": evaluation.source,
        "from": evaluation.first.isoformat(),
        "to": evaluation.last.isoformat(),
        "retrain": evaluation.retrain,
        "min_games": evaluation.scope.min_games,
        "min_minutes": evaluation.scope.min_minutes,
        "best": evaluation.best,
        "counts": dict(evaluation.counts),
        # JSON has no NaN.
        **{t: getattr(evaluation, t).fill_nan(None).to_dicts() for t in tables},
    }


def to_markdown(evaluation: Evaluation, sections: Sequence[Section]) -> str:
    """Return the report as Markdown, with links to the plots in the same folder."""
    parts = ["# Backtest", headline(evaluation)]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [section.note] if section.note else []
        parts.append(markdown(section.table))
        parts += [f"![{section.title}]({section.plot}.png)"] if section.plot else []
    return "\n\n".join(parts) + "\n"


def markdown(frame: pl.DataFrame) -> str:
    """Return a frame as a Markdown table."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(_text(v) for v in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def to_html(
    evaluation: Evaluation, sections: Sequence[Section], images: Mapping[str, bytes]
) -> str:
    """Return the report as one self-contained HTML page."""
    parts = [f"<h1>Backtest</h1><p>{html.escape(headline(evaluation))}</p>"]
    for section in sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.note)}</p>")
        head = "".join(f"<th>{html.escape(c)}</th>" for c in section.table.columns)
        rows = (
            "".join(f"<td>{html.escape(_text(v))}</td>" for v in row)
            for row in section.table.iter_rows()
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        parts.append(f"<table><tr>{head}</tr>{body}</table>")
        if section.plot:
            image = data_uri(images[section.plot])
            parts.append(f'<img alt="{html.escape(section.title)}" src="{image}">')
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Backtest</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _reliability_plot(evaluation: Evaluation) -> bytes:
    at = "tested lines" if "tested lines" in set(evaluation.reliability["at"]) else "stand-in line"
    return plots.reliability(evaluation.reliability.filter(pl.col("at") == at), f"At {at}s"[:-1])


def _months_plot(evaluation: Evaluation) -> bytes:
    months = evaluation.errors.filter((pl.col("by") == "month") & (pl.col("rows") == "all"))
    return plots.errors_by_month(months)


_PLOTS: Mapping[str, Callable[[Evaluation], bytes]] = {
    "reliability": _reliability_plot,
    "errors_by_month": _months_plot,
}


def _errors(frame: pl.DataFrame, references: Sequence[str] | Mapping[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "forecaster": r["forecaster"],
            "n": r["n"],
            _ERROR: _with_error(r, "mae"),
            "RMSE": _num(r["rmse"]),
            "bias": f"{r['bias']:+.3f}",
            **{
                f"vs {name.removesuffix('_average')}": _with_error(r, f"vs_{name}", signed=True)
                for name in references
            },
        }
        for r in frame.to_dicts()
    )


def _probabilities(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "at": r["at"],
            "system": r["system"],
            "n": r["n"],
            "pushes": r["pushes"],
            "log loss": _with_error(r, "log_loss"),
            "Brier": _with_error(r, "brier"),
            "calibration error": _num(r["calibration_error"]),
            "hits": _with_error(r, "hits"),
        }
        for r in frame.to_dicts()
    )


def _bets(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "system": r["system"],
            "edge": r["edge"],
            "bets": r["bets"],
            "pushes": r["pushes"],
            "hits": _with_error(r, "hits"),
            "profit": _with_error(r, "profit", signed=True),
        }
        for r in frame.to_dicts()
    )


def _pivot(
    frame: pl.DataFrame,
    order: Sequence[str] | None,
    name_column: str,
    value: Callable[[dict[str, Any]], str],
    difference: str | None = None,
) -> pl.DataFrame:
    """Return one row per forecaster and one column per slice, with a difference in brackets."""
    rows = frame.to_dicts()
    sizes = {r["slice"]: str(r["n"]) for r in rows}
    slices = [s for s in order or sorted(sizes) if s in sizes]
    by_name_and_slice = {(r[name_column], r["slice"]): r for r in rows}

    def cell(name: str, part: str) -> str:
        row = by_name_and_slice[name, part]
        in_brackets = _with_error(row, difference, signed=True) if difference else ""
        return f"{value(row)} ({in_brackets})" if in_brackets else value(row)

    names = dict.fromkeys(r[name_column] for r in rows)
    counts = {name_column: "rows", **{s: sizes[s] for s in slices}}
    return pl.DataFrame(
        [counts, *({name_column: n, **{s: cell(n, s) for s in slices}} for n in names)]
    )


def _with_error(row: Mapping[str, Any], name: str, *, signed: bool = False) -> str:
    value, error = row[name], row[f"{name}_se"]
    if value is None:
        return ""
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text if error is None or math.isnan(error) else f"{text} ±{error:.3f}"


def _num(value: float) -> str:
    return f"{value:.3f}"


def _rounded(name: str) -> pl.Expr:
    return pl.col(name).round(3)


def _text(value: object) -> str:
    return "" if value is None else str(value)
