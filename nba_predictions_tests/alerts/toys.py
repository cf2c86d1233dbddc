"""A small real pipeline of one asset and one check, whose outcomes a test chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import Condition
from nba_predictions.orchestration.conditions.checks import failed_checks
from nba_predictions.orchestration.conditions.runs import failed_runs
from nba_predictions.orchestration.partitions import game_dates, partitioned_check_spec
from nba_predictions_tests.dagster_internals import (
    RegisteredCodeLocationOrigin,
    RemoteRepositoryOrigin,
)

DATE = "2026-01-15"
JOB = "nightly_predictions"
GRADING = frozenset({"prediction_results", "system_performance"})
JOBS = {
    JOB: frozenset({"predictions"}),
    "publish_phase5_completion": frozenset({"phase5_completion"}),
    "grade_predictions": GRADING,
    "prune": frozenset(),
    "__ASSET_JOB": frozenset({"predictions", "phase5_completion"}) | GRADING,
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("toys"), "__repository__")


@dataclass
class Toy:
    """The outcomes of its next run, and the conditions that are open after it."""

    store: SQLiteBatchStore
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    fails: bool = False
    error: Exception = field(
        default_factory=lambda: ZeroDivisionError("no forecast for lukadoncic")
    )
    passes: bool = True
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    answers: bool = True

    @staticmethod
    def in_folder(folder: Path) -> Toy:
        return Toy(SQLiteBatchStore(folder / "batches.sqlite"))

    def definitions(self) -> dg.Definitions:
        @dg.asset(partitions_def=game_dates)
        def predictions() -> None:
            if self.fails:
                raise self.error

        spec = partitioned_check_spec("rows_match", asset=predictions, blocking=True)

        @dg.multi_asset_check(specs=[spec], can_subset=True)
        def rows_match() -> Iterator[dg.AssetCheckResult]:
            if self.answers:
                yield dg.AssetCheckResult(
                    check_name="rows_match",
                    passed=self.passes,
                    severity=self.severity,
                    description=None if self.passes else "30 of 31 tables were found",
                    metadata={"batch_id": "batch_1", "tables_found": 30, "note": "x" * 100},
                )

        jobs = [
            dg.define_asset_job(name, dg.AssetSelection.assets(predictions))
            for name in (JOB, "publish_phase5_completion")
        ]
        return dg.Definitions(assets=[predictions], asset_checks=[rows_match], jobs=jobs)

    def run(self, job: str = JOB, date: str = DATE) -> dg.ExecuteInProcessResult:
        return (
            self.definitions()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                partition_key=date,
                raise_on_error=False,
                run_config=QUIET,
            )
        )

    def checks(self, days_later: float = 0) -> list[Condition]:
        keys = self.definitions().resolve_asset_graph().asset_check_keys
        return failed_checks(self.instance, list(keys), later(days_later))

    def runs(self, days_later: float = 0) -> list[Condition]:
        return failed_runs(self.instance, JOBS, self.store, later(days_later))


def later(days: float) -> datetime:
    return utc_now() + timedelta(days=days)
