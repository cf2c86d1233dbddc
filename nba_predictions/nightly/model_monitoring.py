"""Monitor the systems on the graded dates in the warehouse: calibration and drift."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from nba_predictions.domain.policies.drift import (
    DateErrors,
    DriftFinding,
    judge_drift,
    rolling_errors,
)
from nba_predictions.domain.tables import RESULTS
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse

#: Drift reads the results of one season, which has enough game dates for its windows.
LOOK_BACK = timedelta(days=250)
_DRIFT_NUMBERS = (
    "recent_error",
    "usual_error",
    "band_low",
    "band_high",
    "recent_dates",
    "band_dates",
    "recent_player_games",
)


def calibration_of(game_date: date, warehouse: Warehouse) -> pl.DataFrame:
    """Return the forecast and observed share of overs up to a date.

    One row per market, system and tenth of probability: market, system, from, to, n, forecast,
    observed, observed_se. The standard error is clustered by date, and null with fewer than two.
    """
    by_date = pl.DataFrame(warehouse.query("calibration_by_date", RESULTS, partition=game_date))
    keys = ["market", "system_id", "bin"]
    whole = by_date.group_by(keys).agg(
        pl.col("row_count").sum().alias("n"),
        (pl.col("overs").sum() / pl.col("row_count").sum()).alias("observed"),
        (pl.col("forecast").sum() / pl.col("row_count").sum()).alias("forecast_mean"),
        pl.len().alias("dates"),
    )
    residual = pl.col("overs") - pl.col("observed") * pl.col("row_count")
    spread = (
        by_date.join(whole, on=keys)
        .group_by(keys)
        .agg((residual**2).sum().sqrt().alias("residual"))
        .join(whole, on=keys)
    )
    share = pl.col("dates") / (pl.col("dates") - 1)
    error = pl.col("residual") * share.sqrt() / pl.col("n")
    return spread.sort(keys).select(
        "market",
        pl.col("system_id").alias("system"),
        (pl.col("bin") / 10).alias("from"),
        ((pl.col("bin") + 1) / 10).alias("to"),
        pl.col("n").cast(pl.Int64),
        pl.col("forecast_mean").alias("forecast"),
        "observed",
        pl.when(pl.col("dates") > 1).then(error).alias("observed_se"),
    )


@dataclass(frozen=True)
class DriftReport:
    """The drift of each system, and the rolling errors behind it (system, game_date, error)."""

    findings: Sequence[DriftFinding]
    rolling: pl.DataFrame

    @property
    def alarming(self) -> list[DriftFinding]:
        return [finding for finding in self.findings if finding.is_alarming]

    def table(self) -> pl.DataFrame:
        """Return the drift of each system as a table, with errors rounded to hundredths."""
        return pl.DataFrame(
            {
                "system": finding.system_id,
                "drift": finding.drift.value,
                **{name: getattr(finding, name) for name in _DRIFT_NUMBERS},
            }
            for finding in self.findings
        ).with_columns(pl.selectors.float().round(2))


def drift_of(game_date: date, warehouse: Warehouse, *, run_id: str) -> DriftReport:
    """Compare the recent error of every system with its band, and log systems outside of it."""
    errors = warehouse.query(
        "drift_by_date", RESULTS, partition=game_date, since=game_date - LOOK_BACK
    )
    by_system: dict[str, list[DateErrors]] = {}
    for row in errors.to_pylist():
        nights = by_system.setdefault(row["system_id"], [])
        nights.append(DateErrors(row["game_date"], row["player_games"], row["total_error"]))
    report = DriftReport(
        [judge_drift(system, nights) for system, nights in by_system.items()],
        pl.DataFrame(
            [
                {"system": system, "game_date": day, "error": error}
                for system, nights in by_system.items()
                for day, error in rolling_errors(nights)
            ],
            schema={"system": pl.String, "game_date": pl.Date, "error": pl.Float64},
        ),
    )
    for finding in report.alarming:
        milestone(
            "system_drifted",
            finding.sentence(),
            severity=logging.WARNING,
            game_date=game_date,
            run_id=run_id,
            system_id=finding.system_id,
            drift=finding.drift.value,
            recent_error=finding.recent_error,
            band_low=finding.band_low,
            band_high=finding.band_high,
        )
    return report
