"""Evaluate the forecasts of a backtest for one market: every forecaster on the same rows.

Forecasters are the systems, plain averages and the line. There are two sets of rows: `all`, for
which all systems and averages have a value, and `with line`, which also have a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from nba_predictions.backtest import scores
from nba_predictions.backtest.scores import Bools, Labels
from nba_predictions.backtest.walk_forward import Walk, line_columns, lines_around
from nba_predictions.domain.errors import BacktestError
from nba_predictions.domain.market import POINTS, Market, registered_markets
from nba_predictions.systems.base import Floats
from nba_predictions.systems.registry import registered_systems
from nba_predictions.training.scoring import central_shares

#: The plain averages that every system should beat, with the suffix of their feature.
AVERAGES: Final = {"last_10": "last_10", "season_average": "season", "weighted_average": "ewm"}
LINE: Final = "line"
STAND_IN: Final = "stand-in line"
#: Scoring tiers of the points market, by the weighted average known before the game. With tiers by
#: outcome, every forecast would look too high for some tiers and too low for others.
TIERS: Final = ((0.0, 8.0), (8.0, 12.0), (12.0, 18.0), (18.0, 25.0), (25.0, np.inf))


@dataclass(frozen=True)
class Scope:
    """The rows to evaluate: players with this many games this season and minutes in the last 10."""

    min_games: int = 10
    min_minutes: float = 15.0

    def mask(self, rows: pl.DataFrame) -> Bools:
        """Return True for the rows to evaluate."""
        enough = (pl.col("games_season") >= self.min_games) & (
            # A player without games has no minutes, and is included if the minimum is 0.
            pl.col("minutes_last_10").fill_null(0.0) >= self.min_minutes
        )
        return np.asarray(rows.select(enough).to_series().to_numpy(), dtype=np.bool_)


@dataclass(frozen=True)
class Evaluation:
    """The tables of a backtest for one market. The games of the source `simulated` do not exist.

    Attributes:
        counts: numbers of rows by kind.
        errors: per set of rows, slice (all, tier, month) and forecaster: rows, error, its standard
            error, RMSE, bias. `vs_X` is the paired difference to X (below zero: better than X).
        probabilities: log loss, Brier score, calibration error and hits of P(over | no push), per
            slice, at the base line, at all tested lines, and on all rows at a stand-in line.
        reliability: forecast and observed share of overs, by bins of probability.
        bets: hits and profit at the base line, at the standard price, by edge.
        ranges: shares of outcomes in the central 50% and 80% of the distributions.
        models: the models that predicted each span of dates.
        best: the system with the least error on `all`.
        predictions: one row per evaluated row and system.
    """

    market: Market
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
        """Return the errors over all slices together, best first."""
        own = self.errors.filter((pl.col("rows") == rows) & (pl.col("by") == "all"))
        return own.drop("rows", "by", "slice").sort("mae")


@dataclass(frozen=True)
class _Rows:
    """Rows on which forecasters are compared: `all` or `with line`.

    `at` are their positions in the walk, `dates` numbers. `centers` has the values of each
    forecaster, `slices` the rows by kind of slice (all, tier, month) and label.
    """

    name: str
    at: np.ndarray
    outcomes: Floats
    dates: Labels
    centers: Mapping[str, Floats]
    slices: Mapping[str, Mapping[str, Bools]]

    def cuts(self) -> Iterator[tuple[str, str, Bools]]:
        for by, parts in self.slices.items():
            for label, mask in parts.items():
                if mask.any():
                    yield by, label, mask


def systems_named(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the systems of these names, in the order of the registry; all of them for None.

    Raises:
        BacktestError: a system is not registered.
    """
    registered = [system.system_id for system in registered_systems()]
    unknown = sorted(set(names or ()) - set(registered))
    if unknown:
        raise BacktestError(
            f"{', '.join(unknown)}: no such system; choose from {', '.join(registered)}"
        )
    return tuple(name for name in registered if names is None or name in names)


def evaluate_markets(
    walk: Walk,
    first: date,
    last: date,
    *,
    retrain: str,
    scope: Scope | None = None,
    systems: Sequence[str] | None = None,
) -> list[Evaluation]:
    """Evaluate every market for which one of the named systems makes forecasts.

    Raises:
        BacktestError: a system is unknown, or no row remains to evaluate.
    """
    names = systems_named(systems)
    by_market: dict[str, list[str]] = {}
    for system in registered_systems():
        if system.system_id in names:
            by_market.setdefault(system.market.name, []).append(system.system_id)
    return [
        evaluate(walk, first, last, market, by_market[market.name], retrain=retrain, scope=scope)
        for market in registered_markets()
        if market.name in by_market
    ]


def evaluate(
    walk: Walk,
    first: date,
    last: date,
    market: Market,
    systems: Sequence[str],
    *,
    retrain: str,
    scope: Scope | None = None,
) -> Evaluation:
    """Compare systems of one market with the averages and the line.

    Raises:
        BacktestError: no row remains to evaluate.
    """
    scope = scope or Scope()
    wanted = scope.mask(walk.rows)
    everyone = _rows(walk, market, "all", wanted, systems)
    if not len(everyone.at):
        raise BacktestError(
            f"none of the {walk.rows.height} rows from {first} to {last} is of a player with "
            f"{scope.min_games} games this season and {scope.min_minutes:g} minutes per game; "
            "lower --min-games and --min-minutes"
        )
    lined = _rows(walk, market, "with line", wanted, systems)
    sets = [rows for rows in (everyone, lined) if len(rows.at)]
    errors = pl.DataFrame([row for rows in sets for row in _errors(rows)], infer_schema_length=None)
    at_lines = [*_probabilities_at_lines(walk, market, everyone, lined, systems)]
    of_systems = errors.filter(
        (pl.col("rows") == "all") & (pl.col("by") == "all") & pl.col("forecaster").is_in(systems)
    )
    return Evaluation(
        market=market,
        source=walk.source,
        first=first,
        last=last,
        retrain=retrain,
        scope=scope,
        counts=_counts(walk, wanted, everyone, lined),
        errors=errors,
        probabilities=pl.DataFrame([row for own in at_lines for row in own.scored()]),
        reliability=pl.DataFrame([row for own in at_lines for row in own.reliability()]),
        bets=pl.DataFrame([*_bets(walk, lined, systems)], schema=_BETS),
        ranges=pl.DataFrame([*_ranges(walk, everyone, systems)]),
        models=_models(walk),
        best=str(of_systems.sort("mae", "forecaster")["forecaster"][0]),
        predictions=_predictions(walk, market, everyone, systems),
    )


def _counts(walk: Walk, wanted: Bools, everyone: _Rows, lined: _Rows) -> dict[str, int]:
    return {
        "played": walk.rows.height,
        "on_a_slate": int(walk.rows["on_slate"].sum()),
        "on_a_slate_but_did_not_play": walk.did_not_play,
        "in_scope": int(wanted.sum()),
        "judged": len(everyone.at),
        "judged_with_line": len(lined.at),
        "game_dates": walk.rows["game_date"].n_unique(),
    }


def _models(walk: Walk) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "cutoff": used.span.cutoff,
            "from": used.span.first,
            "to": used.span.last,
            "trained_on_rows": used.trained_on,
            "model": used.name,
        }
        for used in walk.spans
    )


def tier_names() -> list[str]:
    """Return the names of TIERS, from low to high."""
    return [f"{low:g}+" if np.isinf(high) else f"{low:g}-{high:g}" for low, high in TIERS]


def _average_columns(market: Market) -> dict[str, str]:
    """Return the feature of each average of a market."""
    return {name: f"{market.statistic}_{suffix}" for name, suffix in AVERAGES.items()}


def _rows(walk: Walk, market: Market, name: str, wanted: Bools, systems: Sequence[str]) -> _Rows:
    """Return the wanted rows for which every forecaster has a value."""
    frame = walk.rows
    columns = _average_columns(market)
    if name == "with line":
        columns[LINE], _ = line_columns(market)
    centers = {s: walk.forecasts[s].mean for s in systems}
    centers |= {n: frame[c].cast(pl.Float64).to_numpy() for n, c in columns.items()}
    known = wanted.copy()
    for values in centers.values():
        known &= np.isfinite(values)
    at = np.flatnonzero(known)
    own = frame[at]
    months = own["game_date"].dt.strftime("%Y-%m")
    slices = {"all": {"all": np.ones(len(at), dtype=np.bool_)}}
    if market == POINTS:
        level = own["points_ewm"].to_numpy()
        slices["tier"] = {
            label: (level >= low) & (level < high)
            for label, (low, high) in zip(tier_names(), TIERS, strict=True)
        }
    slices["month"] = {m: (months == m).to_numpy() for m in months.unique().sort().to_list()}
    return _Rows(
        name,
        at,
        own[market.statistic].to_numpy().astype(np.float64),
        own["game_date"].to_physical().to_numpy().astype(np.int64),
        {n: values[at] for n, values in centers.items()},
        slices,
    )


def _cells(name: str, estimate: scores.Estimate | None) -> dict[str, float | None]:
    """Return an estimate as the cells `name` and `name_se`; null without an estimate."""
    if estimate is None:
        return {name: None, f"{name}_se": None}
    return {name: estimate.value, f"{name}_se": estimate.error}


def _errors(rows: _Rows) -> Iterator[dict[str, Any]]:
    references = [*AVERAGES, *([LINE] if LINE in rows.centers else [])]
    for by, label, mask in rows.cuts():
        outcomes, dates = rows.outcomes[mask], rows.dates[mask]
        for name, center in rows.centers.items():
            score = scores.errors(outcomes, center[mask], dates)
            row: dict[str, Any] = {
                "rows": rows.name,
                "by": by,
                "slice": label,
                "forecaster": name,
                "n": score.rows,
                **_cells("mae", score.absolute),
                "rmse": score.rmse,
                **_cells("bias", score.bias),
            }
            for other in (*AVERAGES, LINE):
                difference = None
                if other in references and other != name:
                    difference = scores.paired_difference(
                        outcomes, center[mask], rows.centers[other][mask], dates
                    )
                row |= _cells(f"vs_{other}", difference)
            yield row


@dataclass(frozen=True)
class _ProbabilitiesAtLines:
    """One system's P(over | no push) at some lines, without rows that pushed."""

    at_line: str
    system: str
    probability: Floats
    went_over: Bools
    dates: Labels
    pushes: int
    slices: Mapping[tuple[str, str], Bools]

    def scored(self) -> Iterator[dict[str, Any]]:
        for (by, label), mask in self.slices.items():
            if not mask.any():
                continue
            score = scores.probabilities(
                self.probability[mask], self.went_over[mask], self.dates[mask]
            )
            yield {
                "at": self.at_line,
                "by": by,
                "slice": label,
                "system": self.system,
                "n": score.rows,
                "pushes": self.pushes if by == "all" else None,
                **_cells("log_loss", score.log_loss),
                **_cells("brier", score.brier),
                "calibration_error": score.calibration_error,
                **_cells("hits", score.hits),
            }

    def reliability(self) -> Iterator[dict[str, Any]]:
        for bin_ in scores.reliability(self.probability, self.went_over, self.dates):
            yield {
                "at": self.at_line,
                "system": self.system,
                "from": bin_.low,
                "to": bin_.high,
                "n": bin_.rows,
                "forecast": bin_.forecast,
                **_cells("observed", bin_.observed),
            }


def _probabilities_at_lines(
    walk: Walk, market: Market, everyone: _Rows, lined: _Rows, systems: Sequence[str]
) -> Iterator[_ProbabilitiesAtLines]:
    kinds: list[tuple[str, _Rows, Floats]] = []
    if len(lined.at):
        base = lined.centers[LINE]
        tested = lines_around(base, market)
        kinds += [("base line", lined, base[:, None]), ("tested lines", lined, tested)]
    # The stand-in line of rows without quotes: a half point near the median, which never pushes.
    # It measures the quality of the distributions. No book ever quoted it.
    usual = np.floor(0.96 * everyone.centers["weighted_average"]) + 0.5
    kinds.append((STAND_IN, everyone, usual[:, None]))
    for name, rows, lines in kinds:
        each = lines.shape[1]
        at, line = np.repeat(rows.at, each), lines.reshape(-1)
        outcomes, dates = np.repeat(rows.outcomes, each), np.repeat(rows.dates, each)
        settled = outcomes != line
        slices = {(by, label): np.repeat(mask, each)[settled] for by, label, mask in rows.cuts()}
        for system in systems:
            # At a stand-in line, the forecast is evaluated without the update by a betting line.
            probabilities = walk.own_over_and_push if name == STAND_IN else walk.over_and_push
            over, push = probabilities(system, line, at)
            yield _ProbabilitiesAtLines(
                name,
                system,
                scores.decided(over, push)[settled],
                (outcomes > line)[settled],
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


def _bets(walk: Walk, lined: _Rows, systems: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not len(lined.at):
        return
    line = lined.centers[LINE]
    for system in systems:
        over, push = walk.over_and_push(system, line, lined.at)
        for bet in scores.bets(over, push, line, lined.outcomes, lined.dates):
            yield {
                "system": system,
                "edge": bet.edge,
                "bets": bet.bets,
                "pushes": bet.pushes,
                **_cells("hits", bet.hits),
                **_cells("profit", bet.profit),
            }


def _ranges(walk: Walk, rows: _Rows, systems: Sequence[str]) -> Iterator[dict[str, Any]]:
    for system in systems:
        forecast = walk.forecasts[system]
        half, most = central_shares(rows.outcomes, forecast.mean[rows.at], forecast.spread[rows.at])
        yield {"system": system, "n": len(rows.at), "in_50": half, "in_80": most}


def _predictions(walk: Walk, market: Market, rows: _Rows, systems: Sequence[str]) -> pl.DataFrame:
    base_line, _ = line_columns(market)
    own = walk.rows[rows.at].select(
        *("game_date", "game_id", "player_lookup", market.statistic),
        pl.col(base_line).alias("base_line"),
        "on_slate",
        *_average_columns(market).values(),
        market=pl.lit(market.name),
    )
    has_line = own["base_line"].is_not_null().to_numpy()
    line = own["base_line"].cast(pl.Float64).to_numpy()[has_line]
    parts = []
    for system in systems:
        forecast = walk.forecasts[system]
        over = np.full(len(rows.at), np.nan)
        push = np.full(len(rows.at), np.nan)
        over[has_line], push[has_line] = walk.over_and_push(system, line, rows.at[has_line])
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
