"""What a backtest found, in tables: every forecaster on the same rows.

Averages, systems and the line are compared on the rows for which all of them have a value. Two sets
of rows are told apart: `all` (systems and averages) and `with line` (the line, too).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from nba_predictions.backtest import scores
from nba_predictions.backtest.scores import Bools, Labels
from nba_predictions.backtest.walk_forward import Walk, lines_around
from nba_predictions.domain.errors import BacktestError
from nba_predictions.systems.base import Floats
from nba_predictions.systems.registry import registered_systems

#: What every system has to beat: plain averages, known before tip-off.
AVERAGES: Final = {
    "last_10": "points_last_10",
    "season_average": "points_season",
    "weighted_average": "points_ewm",
}
LINE: Final = "line"
STAND_IN: Final = "stand-in line"
#: Scoring tiers, by the weighted average known before the game. By what was then scored, every
#: forecast would look too high for some tiers and too low for others.
TIERS: Final = ((0.0, 8.0), (8.0, 12.0), (12.0, 18.0), (18.0, 25.0), (25.0, np.inf))


@dataclass(frozen=True)
class Scope:
    """Which rows are judged: players with so many games this season, so many minutes of late."""

    min_games: int = 10
    min_minutes: float = 15.0

    def mask(self, rows: pl.DataFrame) -> Bools:
        """True for the rows that are judged."""
        enough = (pl.col("games_season") >= self.min_games) & (
            # Who has never played has no minutes; asked for everybody, he is among them.
            pl.col("minutes_last_10").fill_null(0.0) >= self.min_minutes
        )
        return np.asarray(rows.select(enough).to_series().to_numpy(), dtype=np.bool_)


@dataclass(frozen=True)
class Report:
    """The tables of a backtest.

    Attributes:
        source: where the games came from; `simulated` ones do not exist.
        first, last: the dates that were asked for.
        retrain: how often models were trained.
        counts: rows of all kinds, by what they are.
        errors: per set of rows, slice (all, tier, month) and forecaster: rows, error, its standard
            error, RMSE, bias; `vs_X` is the paired difference to X (below zero: better than X).
        probabilities: log loss, Brier score, calibration error and hits of P(over | no push), per
            slice, at the base line, at all tested lines, and on all rows at a stand-in line.
        reliability: forecast against observed share of overs, by bins of probability.
        bets: hits and profit at the base line, at the standard price, by edge.
        ranges: shares of outcomes in the central 50% and 80% of the distributions.
        models: which models served which dates.
        best: the system with the least error on `all`.
        predictions: one row per judged row and system.
    """

    source: str
    first: date
    last: date
    retrain: str
    scope: Scope
    counts: Mapping[str, int]
    errors: pl.DataFrame
    probabilities: pl.DataFrame
    reliability: pl.DataFrame
    bets: pl.DataFrame
    ranges: pl.DataFrame
    models: pl.DataFrame
    best: str
    predictions: pl.DataFrame = field(repr=False)

    def main_errors(self, rows: str) -> pl.DataFrame:
        """The errors over all slices together, best first."""
        own = self.errors.filter((pl.col("rows") == rows) & (pl.col("by") == "all"))
        return own.drop("rows", "by", "slice").sort("mae")


@dataclass(frozen=True)
class _Rows:
    """Rows on which forecasters are compared, with what they are sliced by."""

    name: str
    at: np.ndarray
    points: Floats
    dates: Labels
    centres: Mapping[str, Floats]
    slices: Mapping[str, Mapping[str, Bools]]

    def cuts(self) -> Iterator[tuple[str, str, Bools]]:
        for by, parts in self.slices.items():
            for label, here in parts.items():
                if here.any():
                    yield by, label, here


def systems_named(names: Sequence[str] | None) -> tuple[str, ...]:
    """The systems of these names, in the order of SYSTEMS; all of them for None.

    Raises:
        BacktestError: naming those that there are.
    """
    there = [s.system_id for s in registered_systems()]
    unknown = sorted(set(names or ()) - set(there))
    if unknown:
        raise BacktestError(
            f"{', '.join(unknown)}: there is no such system; choose among {', '.join(there)}"
        )
    return tuple(s for s in there if names is None or s in names)


def judge(
    found: Walk,
    first: date,
    last: date,
    *,
    retrain: str,
    scope: Scope | None = None,
    systems: Sequence[str] | None = None,
) -> Report:
    """Score a walk.

    Raises:
        BacktestError: a system is unknown, or no row is left to judge.
    """
    scope = scope or Scope()
    named = systems_named(systems)
    wanted = scope.mask(found.rows)
    everybody = _rows(found, "all", wanted, named, with_line=False)
    if not len(everybody.at):
        raise BacktestError(
            f"none of the {found.rows.height} rows from {first} to {last} is of a player with "
            f"{scope.min_games} games this season and {scope.min_minutes:g} minutes a game; "
            "ask for less with --min-games and --min-minutes"
        )
    has_line = found.rows["base_line"].is_not_null().to_numpy()
    quoted = _rows(found, "with line", wanted & has_line, named, with_line=True)
    sets = [rows for rows in (everybody, quoted) if len(rows.at)]
    errors = pl.DataFrame([row for rows in sets for row in _errors(rows)], infer_schema_length=None)
    at_lines = [*_chances(found, everybody, quoted, named)]
    main = errors.filter(
        (pl.col("rows") == "all") & (pl.col("by") == "all") & pl.col("forecaster").is_in(named)
    )
    return Report(
        source=found.source,
        first=first,
        last=last,
        retrain=retrain,
        scope=scope,
        counts={
            "played": found.rows.height,
            "on_a_slate": int(found.rows["on_slate"].sum()),
            "on_a_slate_but_did_not_play": found.did_not_play,
            "in_scope": int(wanted.sum()),
            "judged": len(everybody.at),
            "judged_with_line": len(quoted.at),
            "game_dates": found.rows["game_date"].n_unique(),
        },
        errors=errors,
        probabilities=pl.DataFrame([row for c in at_lines for row in c.scored()]),
        reliability=pl.DataFrame([row for c in at_lines for row in c.reliability()]),
        bets=pl.DataFrame([*_bets(found, quoted, named)], schema=_BETS),
        ranges=pl.DataFrame([*_ranges(found, everybody, named)]),
        models=pl.DataFrame(
            {
                "cutoff": used.span.cutoff,
                "from": used.span.first,
                "to": used.span.last,
                "trained_on_rows": used.trained_on,
                "model": used.name,
            }
            for used in found.spans
        ),
        best=str(main.sort("mae", "forecaster")["forecaster"][0]),
        predictions=_predictions(found, everybody, named),
    )


def tier_names() -> list[str]:
    """The names of TIERS, from low to high."""
    return [f"{low:g}+" if np.isinf(high) else f"{low:g}-{high:g}" for low, high in TIERS]


def _rows(
    found: Walk, name: str, wanted: Bools, systems: Sequence[str], *, with_line: bool
) -> _Rows:
    """The wanted rows for which every forecaster has a value."""
    frame = found.rows
    centres = {s: found.forecasts[s].mean for s in systems}
    centres |= {n: frame[c].cast(pl.Float64).to_numpy() for n, c in AVERAGES.items()}
    if with_line:
        centres[LINE] = frame["base_line"].cast(pl.Float64).to_numpy()
    known = wanted.copy()
    for values in centres.values():
        known &= np.isfinite(values)
    at = np.flatnonzero(known)
    own = frame[at]
    level = own["points_ewm"].to_numpy()
    months = own["game_date"].dt.strftime("%Y-%m")
    return _Rows(
        name,
        at,
        own["points"].to_numpy().astype(np.float64),
        own["game_date"].to_physical().to_numpy().astype(np.int64),
        {n: values[at] for n, values in centres.items()},
        {
            "all": {"all": np.ones(len(at), dtype=np.bool_)},
            "tier": {
                label: (level >= low) & (level < high)
                for label, (low, high) in zip(tier_names(), TIERS, strict=True)
            },
            "month": {m: (months == m).to_numpy() for m in months.unique().sort().to_list()},
        },
    )


def _errors(rows: _Rows) -> Iterator[dict[str, Any]]:
    references = [*AVERAGES, *([LINE] if LINE in rows.centres else [])]
    for by, label, here in rows.cuts():
        points, dates = rows.points[here], rows.dates[here]
        for name, centre in rows.centres.items():
            score = scores.errors(points, centre[here], dates)
            row: dict[str, Any] = {
                "rows": rows.name,
                "by": by,
                "slice": label,
                "forecaster": name,
                "n": score.rows,
                "mae": score.absolute.value,
                "mae_se": score.absolute.error,
                "rmse": score.rmse,
                "bias": score.bias.value,
                "bias_se": score.bias.error,
            }
            for other in (*AVERAGES, LINE):
                difference = None
                if other in references and other != name:
                    difference = scores.paired_difference(
                        points, centre[here], rows.centres[other][here], dates
                    )
                row[f"vs_{other}"] = difference.value if difference else None
                row[f"vs_{other}_se"] = difference.error if difference else None
            yield row


@dataclass(frozen=True)
class _Chances:
    """One system's P(over | no push) at some lines, rows that pushed left out."""

    at_line: str
    system: str
    chance: Floats
    went_over: Bools
    dates: Labels
    pushes: int
    slices: Mapping[tuple[str, str], Bools]

    def scored(self) -> Iterator[dict[str, Any]]:
        for (by, label), here in self.slices.items():
            if not here.any():
                continue
            score = scores.probabilities(self.chance[here], self.went_over[here], self.dates[here])
            yield {
                "at": self.at_line,
                "by": by,
                "slice": label,
                "system": self.system,
                "n": score.rows,
                "pushes": self.pushes if by == "all" else None,
                "log_loss": score.log_loss.value,
                "log_loss_se": score.log_loss.error,
                "brier": score.brier.value,
                "brier_se": score.brier.error,
                "calibration_error": score.calibration_error,
                "hits": score.hits.value,
                "hits_se": score.hits.error,
            }

    def reliability(self) -> Iterator[dict[str, Any]]:
        for found in scores.reliability(self.chance, self.went_over, self.dates):
            yield {
                "at": self.at_line,
                "system": self.system,
                "from": found.low,
                "to": found.high,
                "n": found.rows,
                "forecast": found.forecast,
                "observed": found.observed.value,
                "observed_se": found.observed.error,
            }


def _chances(
    found: Walk, everybody: _Rows, quoted: _Rows, systems: Sequence[str]
) -> Iterator[_Chances]:
    asked: list[tuple[str, _Rows, Floats]] = []
    if len(quoted.at):
        tested = lines_around(found.rows[quoted.at])
        asked += [("base line", quoted, tested[:, 2:3]), ("tested lines", quoted, tested)]
    # Where nobody quotes a line: the half point near the usual, near the median and never a push.
    # It says how good the distributions are; it is no line that anybody could have bet on.
    usual = np.floor(0.96 * everybody.centres["weighted_average"]) + 0.5
    asked.append((STAND_IN, everybody, usual[:, None]))
    for name, rows, lines in asked:
        each = lines.shape[1]
        at, line = np.repeat(rows.at, each), lines.reshape(-1)
        points, dates = np.repeat(rows.points, each), np.repeat(rows.dates, each)
        settled = points != line
        slices = {(by, label): np.repeat(here, each)[settled] for by, label, here in rows.cuts()}
        for system in systems:
            # A stand-in line was quoted by nobody: it judges what the system expects by itself.
            ask = found.own_over_and_push if name == STAND_IN else found.over_and_push
            over, push = ask(system, line, at)
            yield _Chances(
                name,
                system,
                scores.decided(over, push)[settled],
                (points > line)[settled],
                dates[settled],
                int((~settled).sum()),
                slices,
            )


_BETS: Final = {
    "system": pl.String,
    "edge": pl.String,
    "bets": pl.Int64,
    "pushes": pl.Int64,
    "hits": pl.Float64,
    "hits_se": pl.Float64,
    "profit": pl.Float64,
    "profit_se": pl.Float64,
}


def _bets(found: Walk, quoted: _Rows, systems: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not len(quoted.at):
        return
    line = quoted.centres[LINE]
    for system in systems:
        over, push = found.over_and_push(system, line, quoted.at)
        for bet in scores.bets(over, push, line, quoted.points, quoted.dates):
            yield {
                "system": system,
                "edge": bet.edge,
                "bets": bet.bets,
                "pushes": bet.pushes,
                "hits": bet.hits.value if bet.hits else None,
                "hits_se": bet.hits.error if bet.hits else None,
                "profit": bet.profit.value if bet.profit else None,
                "profit_se": bet.profit.error if bet.profit else None,
            }


def _ranges(found: Walk, rows: _Rows, systems: Sequence[str]) -> Iterator[dict[str, Any]]:
    for system in systems:
        forecast = found.forecasts[system]
        half, most = scores.central_shares(
            rows.points, forecast.mean[rows.at], forecast.spread[rows.at]
        )
        yield {"system": system, "n": len(rows.at), "in_50": half, "in_80": most}


def _predictions(found: Walk, rows: _Rows, systems: Sequence[str]) -> pl.DataFrame:
    keys = ("game_date", "game_id", "player_lookup", "points", "base_line", "on_slate")
    own = found.rows[rows.at].select(*keys, *AVERAGES.values())
    has_line = own["base_line"].is_not_null().to_numpy()
    line = own["base_line"].cast(pl.Float64).to_numpy()[has_line]
    parts = []
    for system in systems:
        forecast = found.forecasts[system]
        over = np.full(len(rows.at), np.nan)
        push = np.full(len(rows.at), np.nan)
        over[has_line], push[has_line] = found.over_and_push(system, line, rows.at[has_line])
        parts.append(
            own.with_columns(
                system_id=pl.lit(system),
                predicted_points=forecast.mean[rows.at],
                spread=forecast.spread[rows.at],
                over_probability=pl.Series(over, nan_to_null=True),
                push_probability=pl.Series(push, nan_to_null=True),
            )
        )
    return pl.concat(parts)
