"""Remove what no night needs anymore: players' partitions, inputs, staging, models and old runs.

Maintenance may run at the same time as a night, and it may be repeated. It removes only what is
older than the retention and not in use. The rules are in `domain/batches/retention.py`.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.retention import (
    LEAST_NIGHTS_DAYS,
    LEAST_RUNS_DAYS,
    Retention,
    dates_in_use,
    expired_dates,
    expired_models,
)
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError
from nba_predictions.logs import milestone
from nba_predictions.nightly.staging_expiry import expire_staging
from nba_predictions.orchestration.assets.staging import Batches, Models, TheWarehouse
from nba_predictions.orchestration.checks.input_gates import TheSettings
from nba_predictions.orchestration.io_managers import assets_folder, stored_models_name
from nba_predictions.orchestration.partitions import (
    date_in,
    game_date_of,
    is_old_player_partition_key,
    parse_player_partition_key,
    player_nights,
)
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotions
from nba_predictions.warehouse.port import Warehouse

#: Runs are deleted in pages of this size, the oldest first.
_RUNS_PER_PAGE = 200
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True)
class MaintenanceContext:
    """The instance, the settings and the stores that maintenance reads and cleans."""

    instance: dg.DagsterInstance
    settings: Settings
    batches: BatchStore
    warehouse: Warehouse
    model_store: ModelStore


@dataclass(frozen=True)
class MaintenanceReport:
    """The number of things that were removed, or that a dry run would remove."""

    dry_run: bool
    player_nights: int
    player_nights_left: int
    input_files: int
    input_bytes: int
    staging_batches: int
    staging_tables: int
    models: int
    runs: int
    run_bytes: int


def maintain(
    context: MaintenanceContext,
    retention: Retention,
    *,
    run_id: str,
    dry_run: bool = False,
    now: datetime | None = None,
) -> MaintenanceReport:
    """Remove what is older than the retention and not in use, and log `maintenance_done`."""
    now = now or utc_now()
    in_use = dates_in_use(
        context.batches.in_states(list(BatchState)), _running(context.instance), now, retention
    )
    partitions = _player_partitions(context.instance)
    expired = expired_dates(partitions.values(), in_use, now, retention)
    keys = [k for k, day in partitions.items() if day in expired or is_old_player_partition_key(k)]
    files = _input_files(assets_folder(context.settings.home))
    expired = expired_dates(files.values(), in_use, now, retention)
    inputs = [path for path, day in files.items() if day in expired]
    models = _unused_models(context.model_store, files.keys() - set(inputs), now, retention)
    input_bytes = _size(inputs)
    if not dry_run:
        for key in keys:
            context.instance.delete_dynamic_partition(str(player_nights.name), key)
        for path in inputs:
            path.unlink(missing_ok=True)
        for name in models:
            context.model_store.remove(name)
    staging = expire_staging(
        context.batches, context.warehouse, run_id=run_id, now=now, dry_run=dry_run
    )
    runs, run_bytes = _delete_runs(context.instance, now, retention, run_id, dry_run=dry_run)
    report = MaintenanceReport(
        dry_run=dry_run,
        player_nights=len(keys),
        player_nights_left=len(partitions) - len(keys),
        input_files=len(inputs),
        input_bytes=input_bytes,
        staging_batches=len(staging),
        staging_tables=sum(expired.dropped for expired in staging),
        models=len(models),
        runs=runs,
        run_bytes=run_bytes,
    )
    _log(report, retention, run_id)
    return report


def _log(report: MaintenanceReport, retention: Retention, run_id: str) -> None:
    milestone(
        "maintenance_done",
        f"{'would remove' if report.dry_run else 'removed'} {report.player_nights} player "
        f"partitions ({report.player_nights_left} remain), {report.input_files} input files, the "
        f"staging of {report.staging_batches} batches, {report.models} models, {report.runs} runs",
        run_id=run_id,
        keep_nights_days=retention.nights_days,
        keep_runs_days=retention.runs_days,
        **asdict(report),
    )


def _player_partitions(instance: dg.DagsterInstance) -> Mapping[str, date]:
    """Return the keys of `player_nights` with their dates."""
    dates = {}
    for key in instance.get_dynamic_partitions(str(player_nights.name)):
        # A key of another form was added by hand. It is not ours to remove.
        with suppress(ValueError):
            dates[key] = parse_player_partition_key(key)[0]
    return dates


def _input_files(folder: Path) -> dict[Path, date]:
    """Return the files that the IO managers wrote, `asset/game_date.parquet`, with their dates."""
    dates = {}
    for path in sorted(folder.glob("*/*")):
        with suppress(ValueError):
            dates[path] = game_date_of(path.stem)
    return dates


def _size(files: Iterable[Path]) -> int:
    size = 0
    for path in files:
        # Another maintenance may remove the same files.
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _unused_models(
    store: ModelStore, kept_inputs: Iterable[Path], now: datetime, retention: Retention
) -> list[str]:
    """Return the old models that no kept input names and that were never promoted."""
    used = {promotion.name for promotion in Promotions(store.folder).read()}
    for path in kept_inputs:
        if path.parent.name == "prediction_models":
            # Models that only a damaged file names can be trained again.
            with suppress(FileNotFoundError, DamagedFileError):
                used.add(stored_models_name(path.parent.parent.parent, path.stem))
    return expired_models(store.saved_at(), used, now, retention)


def _running(instance: dg.DagsterInstance) -> set[date]:
    """Return the dates of the runs that are not finished."""
    unfinished = [status for status in dg.DagsterRunStatus if status not in _FINISHED]
    runs = instance.get_runs(dg.RunsFilter(statuses=unfinished))
    dates = (date_in(run.tags.get(PARTITION_TAG)) for run in runs)
    return {day for day in dates if day is not None}


def _delete_runs(
    instance: dg.DagsterInstance, now: datetime, retention: Retention, run_id: str, *, dry_run: bool
) -> tuple[int, int]:
    """Delete finished runs older than the retention; return their number and size in bytes."""
    old = dg.RunsFilter(created_before=now - timedelta(days=retention.runs_days))
    deleted = size = 0
    while True:
        runs = [
            record.dagster_run.run_id
            for record in instance.get_run_records(
                old, limit=None if dry_run else _RUNS_PER_PAGE, ascending=True
            )
            if record.dagster_run.is_finished and record.dagster_run.run_id != run_id
        ]
        deleted += len(runs)
        for run in runs:
            files = _files_of_run(instance, run)
            size += _size(files)
            if not dry_run:
                instance.delete_run(run)
                # Dagster does not remove the files.
                for path in files:
                    path.unlink(missing_ok=True)
        if dry_run or not runs:
            return deleted, size


def _files_of_run(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Return a run's files in DAGSTER_HOME: logs, values of steps and, with SQLite, events."""
    folder = Path(instance.storage_directory()) / run_id
    files = [path for path in folder.rglob("*") if path.is_file()]
    event_file = folder.parent.parent / "history" / "runs" / f"{run_id}.db"
    return [*files, *([event_file] if event_file.is_file() else [])]


class MaintenanceConfig(dg.Config):
    """The retention, and whether to remove anything."""

    keep_nights_days: int = Field(
        Retention.nights_days,
        ge=LEAST_NIGHTS_DAYS,
        le=3650,
        description="Days for which the player partitions, inputs and models of a night are kept. "
        "A day adds up to 450 player partitions to the UI.",
    )
    keep_runs_days: int = Field(
        Retention.runs_days,
        ge=LEAST_RUNS_DAYS,
        le=3650,
        description="Days for which runs are kept. Without its run, a partition that it "
        "materialized is missing in the UI.",
    )
    dry_run: bool = Field(False, description="Remove nothing, only report what would be removed.")


@dg.op
def remove_expired_data(
    context: dg.OpExecutionContext,
    config: MaintenanceConfig,
    settings: TheSettings,
    batches: Batches,
    warehouse: TheWarehouse,
    model_store: Models,
) -> dg.Output[None]:
    """Remove what is older than the retention and not in use; the metadata has the numbers."""
    report = maintain(
        MaintenanceContext(context.instance, settings, batches, warehouse, model_store),
        Retention(config.keep_nights_days, config.keep_runs_days),
        run_id=context.run_id,
        dry_run=config.dry_run,
    )
    return dg.Output(None, metadata=asdict(report))


@dg.job(
    description="Removes old player partitions, inputs, models and runs, and the staging of "
    "batches that were abandoned a month ago."
)
def maintenance() -> None:
    remove_expired_data()
