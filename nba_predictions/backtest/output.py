"""A report on paper: Markdown, HTML that stands alone, JSON, plots, and the rows behind it."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nba_predictions.backtest import plots
from nba_predictions.backtest.report import AVERAGES, LINE, Report, tier_names
from nba_predictions.domain.betting.predictions import MIN_EDGE, STANDARD_PRICE

_ERROR = "absolute error"


@dataclass(frozen=True)
class Section:
    """A table, its title, what to know about it, and the name of its plot if there is one."""

    title: str
    note: str
    table: pl.DataFrame
    plot: str | None = None


def main_sections(report: Report) -> Iterator[Section]:
    """The tables that the command prints."""
    yield Section(
        "Errors, all rows",
        "In points. `vs X` is the difference of absolute errors on the same rows; below zero is "
        "better than X. Standard errors (±) are clustered by date.",
        _errors(report.main_errors("all"), AVERAGES),
        "errors_by_month",
    )
    quoted = report.main_errors("with line")
    if quoted.height:
        yield Section(
            "Errors, rows with a line",
            "The line is the base line of the nights: the median over books of their main lines.",
            _errors(quoted, (*AVERAGES, LINE)),
        )
        yield Section(
            "Probabilities",
            "Of an over, pushes left out. A coin has log loss 0.693 and Brier score 0.250. `base "
            "line` is what could be bet on; `tested lines` are base line -2 to +2; `stand-in line` "
            "is the half point near each player's weighted average, on all rows: nobody quotes it.",
            _probabilities(report.probabilities.filter(pl.col("by") == "all")),
            "reliability",
        )
        yield Section(
            "Bets at the base line",
            f"One unit at {STANDARD_PRICE} on the side that the system prefers, by edge: its "
            f"probability minus the price's break-even. `recommended` is an edge of "
            f"{100 * MIN_EDGE:.0f}% or more. `profit` is per unit staked; pushes return the stake.",
            _bets(report.bets),
        )
    else:
        yield Section(
            "Probabilities",
            "Of an over at the half point near each player's weighted average: no row has a line. "
            "A coin has log loss 0.693 and Brier score 0.250.",
            _probabilities(report.probabilities.filter(pl.col("by") == "all")),
            "reliability",
        )


def all_sections(report: Report) -> Iterator[Section]:
    """Every table of the written report."""
    yield from main_sections(report)
    for by, order in (("tier", tier_names()), ("month", None)):
        for rows in report.errors["rows"].unique(maintain_order=True):
            reference = LINE if rows == "with line" else "weighted_average"
            own = report.errors.filter((pl.col("by") == by) & (pl.col("rows") == rows))
            what = "points expected (weighted average before the game)" if by == "tier" else by
            yield Section(
                f"Absolute error by {by}, {rows if rows != 'all' else 'all rows'}",
                f"By {what}; in brackets the difference to `{reference}`.",
                _pivot(own, order, "forecaster", lambda r: _num(r["mae"]), f"vs_{reference}"),
            )
        for at in report.probabilities["at"].unique(maintain_order=True):
            own = report.probabilities.filter((pl.col("by") == by) & (pl.col("at") == at))
            yield Section(
                f"Log loss by {by}, {at}",
                "",
                _pivot(own, order, "system", lambda r: _with_error(r, "log_loss")),
            )
    yield Section(
        "Reliability",
        "What was forecast on average in each bin of probability, and the share of overs there.",
        report.reliability.select(
            "at",
            "system",
            pl.format("{} to {}", "from", "to").alias("bin"),
            "n",
            _rounded("forecast"),
            pl.Series("observed", [_with_error(r, "observed") for r in _rows(report.reliability)]),
        ),
    )
    yield Section(
        "Central ranges",
        "Shares of outcomes in the central 50% and 80% of the forecast distributions.",
        report.ranges.with_columns(_rounded("in_50"), _rounded("in_80")),
    )
    yield Section("Models", "Each knows what lies before its cutoff.", report.models)


def headline(report: Report) -> str:
    """What was judged, in a sentence."""
    c, scope = report.counts, report.scope
    return (
        f"Source `{report.source}`, {report.first} to {report.last}, {c['game_dates']} game dates, "
        f"models trained {report.retrain}; {c['judged']} rows judged of {c['played']} played: "
        f"players of {scope.min_games} or more games this season and {scope.min_minutes:g} or "
        f"more minutes in their last 10. {c['judged_with_line']} of them have a line. "
        f"{c['in_scope'] - c['judged']} rows were left out, where a forecaster has no value; "
        f"{c['on_a_slate_but_did_not_play']} players of the slates did not play (void)."
    )


def last_line(report: Report) -> str:
    """The line by which a program or a person sees how it went."""
    best = report.main_errors("all").filter(pl.col("forecaster") == report.best)
    return (
        f"BACKTEST rows={report.counts['judged']} with_line={report.counts['judged_with_line']} "
        f"best={report.best} mae={best['mae'][0]:.4f}"
    )


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.md, report.html, report.json, the plots and predictions.parquet; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {name: draw(report) for name, draw in _PLOTS.items()}
    sections = list(all_sections(report))
    files: dict[str, bytes] = {
        "report.md": to_markdown(report, sections).encode(),
        "report.html": to_html(report, sections, images).encode(),
        "report.json": json.dumps(to_json(report), indent=1, default=str).encode(),
        **{f"{name}.png": image for name, image in images.items()},
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    report.predictions.write_parquet(folder / "predictions.parquet")
    return [folder / name for name in (*files, "predictions.parquet")]


def to_json(report: Report) -> dict[str, Any]:
    """Every number, unrounded; what is not known is null."""
    tables = ("errors", "probabilities", "reliability", "bets", "ranges", "models")
    return {
        "source": report.source,
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "retrain": report.retrain,
        "min_games": report.scope.min_games,
        "min_minutes": report.scope.min_minutes,
        "best": report.best,
        "counts": dict(report.counts),
        # JSON has no NaN.
        **{t: getattr(report, t).fill_nan(None).to_dicts() for t in tables},
    }


def to_markdown(report: Report, sections: Sequence[Section]) -> str:
    """The report as Markdown, plots as links to files beside it."""
    parts = ["# Backtest", headline(report)]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [section.note] if section.note else []
        parts.append(markdown(section.table))
        parts += [f"![{section.title}]({section.plot}.png)"] if section.plot else []
    return "\n\n".join(parts) + "\n"


def markdown(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(_text(v) for v in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def to_html(report: Report, sections: Sequence[Section], images: Mapping[str, bytes]) -> str:
    """The report as one HTML file that needs no other."""
    parts = [f"<h1>Backtest</h1><p>{html.escape(headline(report))}</p>"]
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
            image = base64.b64encode(images[section.plot]).decode()
            parts.append(
                f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{image}">'
            )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Backtest</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _reliability_plot(report: Report) -> bytes:
    at = "tested lines" if "tested lines" in set(report.reliability["at"]) else "stand-in line"
    return plots.reliability(report.reliability.filter(pl.col("at") == at), f"At {at}s"[:-1])


def _months_plot(report: Report) -> bytes:
    months = report.errors.filter((pl.col("by") == "month") & (pl.col("rows") == "all"))
    return plots.errors_by_month(months)


_PLOTS: Mapping[str, Callable[[Report], bytes]] = {
    "reliability": _reliability_plot,
    "errors_by_month": _months_plot,
}


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()


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
        for r in _rows(frame)
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
        for r in _rows(frame)
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
        for r in _rows(frame)
    )


def _pivot(
    frame: pl.DataFrame,
    order: Sequence[str] | None,
    who: str,
    value: Callable[[dict[str, Any]], str],
    difference: str | None = None,
) -> pl.DataFrame:
    """One row per forecaster, one column per slice, in brackets a difference."""
    rows = _rows(frame)
    there = {r["slice"]: str(r["n"]) for r in rows}
    slices = [s for s in order or sorted(there) if s in there]
    at = {(r[who], r["slice"]): r for r in rows}

    def cell(name: str, part: str) -> str:
        row = at[name, part]
        beside = _with_error(row, difference, signed=True) if difference else ""
        return f"{value(row)} ({beside})" if beside else value(row)

    names = dict.fromkeys(r[who] for r in rows)
    counts = {who: "rows", **{s: there[s] for s in slices}}
    return pl.DataFrame([counts, *({who: n, **{s: cell(n, s) for s in slices}} for n in names)])


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
