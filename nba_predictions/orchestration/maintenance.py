"""Forget what no night needs any more: players' partitions, inputs, staging, models, old runs.

Safe beside a night that is going on, and to be repeated: only what is old and not in use is chosen,
and choosing it again finds nothing.
"""

import json
from collections.abc import Iterable
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
from nba_predictions.logs import milestone
from nba_predictions.nightly.staging_expiry import expire_staging
from nba_predictions.orchestration.assets.staging import Batches, Models, TheWarehouse
from nba_predictions.orchestration.checks.input_gates import TheSettings
from nba_predictions.orchestration.partitions import (
    date_in,
    game_date_of,
    parse_player_night,
    player_nights,
)
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotions
from nba_predictions.warehouse.port import Warehouse

#: Runs are deleted in portions of this many; the oldest first.
_PORTION = 200


@dataclass(frozen=True)
class House:
    """All that a maintenance looks through."""

    instance: dg.DagsterInstance
    settings: Settings
    batches: BatchStore
    warehouse: Warehouse
    model_store: ModelStore


@dataclass(frozen=True)
class Maintained:
    """What was forgotten (or would be), and what is left."""

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
    house: House,
    retention: Retention,
    *,
    run_id: str,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Maintained:
    """Forget what is older than the retention and not in use; say what with `maintenance_done`."""
    now = now or utc_now()
    in_use = dates_in_use(
        house.batches.in_states(list(BatchState)), _running(house.instance), now, retention
    )
    partitions = {
        key: day
        for key in house.instance.get_dynamic_partitions(str(player_nights.name))
        if (day := _date_of(key)) is not None
    }
    old = expired_dates(partitions.values(), in_use, now, retention)
    players = [key for key, day in partitions.items() if day in old]
    files = _input_files(house.settings.home / "assets")
    old = expired_dates(files.values(), in_use, now, retention)
    inputs = [path for path, day in files.items() if day in old]
    promoted = {promotion.name for promotion in Promotions(house.model_store.folder).read()}
    used = _models_used(files, set(inputs)) | promoted
    models = expired_models(house.model_store.saved_at(), used, now, retention)
    size = _size(inputs)
    if not dry_run:
        for key in players:
            house.instance.delete_dynamic_partition(str(player_nights.name), key)
        for path in inputs:
            path.unlink(missing_ok=True)
        for name in models:
            house.model_store.remove(name)
    staging = expire_staging(
        house.batches, house.warehouse, run_id=run_id, now=now, dry_run=dry_run
    )
    runs, run_bytes = _forget_runs(house.instance, now, retention, run_id, dry_run=dry_run)
    done = Maintained(
        dry_run=dry_run,
        player_nights=len(players),
        player_nights_left=len(partitions) - len(players),
        input_files=len(inputs),
        input_bytes=size,
        staging_batches=len(staging),
        staging_tables=sum(found.dropped for found in staging),
        models=len(models),
        runs=runs,
        run_bytes=run_bytes,
    )
    milestone(
        "maintenance_done",
        f"{'would forget' if dry_run else 'forgot'} {done.player_nights} players' partitions "
        f"({done.player_nights_left} are left), {done.input_files} input files, staging of "
        f"{done.staging_batches} batches, {done.models} models, {done.runs} runs",
        run_id=run_id,
        keep_nights_days=retention.nights_days,
        keep_runs_days=retention.runs_days,
        **asdict(done),
    )
    return done


def _date_of(partition_key: str) -> date | None:
    # A partition that somebody added by hand under another name is not ours to remove.
    with suppress(ValueError):
        return parse_player_night(partition_key)[0]
    return None


def _input_files(folder: Path) -> dict[Path, date]:
    """Return what the IO managers wrote, `asset/game_date.parquet`, with the date of each."""
    found = {}
    for path in sorted(folder.glob("*/*")):
        with suppress(ValueError):
            found[path] = game_date_of(path.stem)
    return found


def _size(files: Iterable[Path]) -> int:
    size = 0
    for path in files:
        # Another maintenance may be at the same files.
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _models_used(files: Iterable[Path], removed: set[Path]) -> set[str]:
    used = set()
    for path in files:
        if path.parent.name == "prediction_models" and path not in removed:
            with suppress(FileNotFoundError):
                used.add(str(json.loads(path.read_bytes())))
    return used


def _running(instance: dg.DagsterInstance) -> set[date]:
    """Return the dates of the runs that are not finished."""
    unfinished = [
        status
        for status in dg.DagsterRunStatus
        if status
        not in (
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        )
    ]
    runs = instance.get_runs(dg.RunsFilter(statuses=unfinished))
    dates = (date_in(run.tags.get(PARTITION_TAG)) for run in runs)
    return {day for day in dates if day is not None}


def _forget_runs(
    instance: dg.DagsterInstance, now: datetime, retention: Retention, run_id: str, *, dry_run: bool
) -> tuple[int, int]:
    """Delete the runs begun before the retention; return how many, and the bytes of their files."""
    old = dg.RunsFilter(created_before=now - timedelta(days=retention.runs_days))
    deleted = size = 0
    while True:
        runs = [
            record.dagster_run.run_id
            for record in instance.get_run_records(
                old, limit=None if dry_run else _PORTION, ascending=True
            )
            if record.dagster_run.is_finished and record.dagster_run.run_id != run_id
        ]
        deleted += len(runs)
        for run in runs:
            files = _files_of_run(instance, run)
            size += _size(files)
            if not dry_run:
                instance.delete_run(run)
                # Dagster leaves them where they are.
                for path in files:
                    path.unlink(missing_ok=True)
        if dry_run or not runs:
            return deleted, size


def _files_of_run(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Return what a run has left in DAGSTER_HOME: its logs, what its steps gave each other, and,
    where events are kept in SQLite, its event file."""
    folder = Path(instance.storage_directory()) / run_id
    found = [path for path in folder.rglob("*") if path.is_file()]
    event_file = folder.parent.parent / "history" / "runs" / f"{run_id}.db"
    return [*found, *([event_file] if event_file.is_file() else [])]


class MaintenanceConfig(dg.Config):
    """For how long things are kept, and whether to say only what would be forgotten."""

    keep_nights_days: int = Field(
        Retention.nights_days,
        ge=LEAST_NIGHTS_DAYS,
        le=3650,
        description="days for which players' partitions, inputs and models of a night are kept; "
        "the UI has at most about 450 players a day of them",
    )
    keep_runs_days: int = Field(
        Retention.runs_days,
        ge=LEAST_RUNS_DAYS,
        le=3650,
        description="days for which runs are kept, and with them what the UI knows of the "
        "partitions that they have materialized",
    )
    dry_run: bool = Field(False, description="forget nothing, and say what would be forgotten")


@dg.op
def forget_what_is_old(
    context: dg.OpExecutionContext,
    config: MaintenanceConfig,
    settings: TheSettings,
    batches: Batches,
    warehouse: TheWarehouse,
    model_store: Models,
) -> dg.Output[None]:
    """Remove what is older than the retention and not in use; the metadata has the numbers."""
    done = maintain(
        House(context.instance, settings, batches, warehouse, model_store),
        Retention(config.keep_nights_days, config.keep_runs_days),
        run_id=context.run_id,
        dry_run=config.dry_run,
    )
    return dg.Output(None, metadata=asdict(done))


@dg.job(
    description="Forget old player partitions, inputs, models, runs, and the staging of batches "
    "that were given up a month ago."
)
def maintenance() -> None:
    forget_what_is_old()
