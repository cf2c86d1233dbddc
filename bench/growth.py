"""Measure how memory and databases grow with each night, and what maintenance frees.

The benchmark runs nights of the simulated league in this process, each with the jobs and sensors of
a real night: predict, publish, look for stalled and blocked nights, grade. Then maintenance runs as
if `--after-days` days had passed.

    python -m bench.growth [--nights 6] [--from 2026-01-12] [--after-days 61]
"""

import argparse
import contextlib
import io
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import prepare_dagster_home
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.domain.clock import utc_now
from nba_predictions.orchestration.maintenance import MaintenanceContext, maintain
from nba_predictions.settings import Settings

_SENSORS = ("publish_cleaned_batches", "settle_stalled_batches", "predict_waiting_nights")
_MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=6)
    parser.add_argument("--from", type=date.fromisoformat, default=date(2026, 1, 12), dest="first")
    parser.add_argument("--after-days", type=int, default=61)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench_growth_"))
    settings = Settings.from_environment({"NBA_PREDICTIONS_HOME": str(home)})
    os.environ.pop("DAGSTER_HOME", None)
    prepare_dagster_home(settings)
    with Pipeline(settings) as pipeline:
        instance = pipeline.instance
        print(_HEADER)
        before = _measure(home, instance)
        for number in range(options.nights):
            game_date = options.first + timedelta(days=number)
            _night(pipeline, game_date)
            after = _measure(home, instance)
            print(_line(str(game_date), after, before))
            before = after
        maintenance = MaintenanceContext(
            instance, settings, pipeline.batches, pipeline.warehouse, pipeline.model_store
        )
        later = utc_now() + timedelta(days=options.after_days)
        with contextlib.redirect_stdout(io.StringIO()):
            maintain(maintenance, Retention(runs_days=30), run_id="bench", now=later)
        print(_line("maintained", _measure(home, instance), before))
    print(f"home: {home}")


def _night(pipeline: Pipeline, game_date: date) -> None:
    # The milestones of hundreds of players are not part of the output.
    with contextlib.redirect_stdout(io.StringIO()):
        done = pipeline.execute("nightly_predictions", game_date)
        for sensor in _SENSORS:
            pipeline.tick(sensor)
        graded = pipeline.execute("grade_predictions", game_date)
    if not (done and graded):
        sys.exit(f"the night of {game_date} failed, see above; choose dates with games")


def _size(*paths: Path) -> float:
    files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    return sum(f.stat().st_size for f in files if f.is_file()) / _MB


def _resident() -> float:
    """Return the memory of the process in MB; without /proc the largest so far."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / _MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


_COLUMNS: dict[str, Callable[[Path, dg.DagsterInstance], float]] = {
    "memory MB": lambda home, _: _resident(),
    "events MB": lambda home, _: _size(home / "dagster" / "history"),
    "storage MB": lambda home, _: _size(home / "dagster" / "storage"),
    "batches MB": lambda home, _: _size(*home.glob("batches.sqlite*")),
    "warehouse MB": lambda home, _: _size(*home.glob("warehouse.duckdb*")),
    "inputs MB": lambda home, _: _size(home / "assets"),
    "models MB": lambda home, _: _size(home / "models"),
    "staging files": lambda home, _: sum(p.is_file() for p in (home / "staging").rglob("*")),
    "partitions": lambda _, instance: len(instance.get_dynamic_partitions("player_nights")),
    "runs": lambda _, instance: instance.get_runs_count(),
}
_HEADER = "| after | " + " | ".join(_COLUMNS) + " |\n|---" + "|---:" * len(_COLUMNS) + "|"


def _measure(home: Path, instance: dg.DagsterInstance) -> dict[str, float]:
    return {name: measure(home, instance) for name, measure in _COLUMNS.items()}


def _line(name: str, now: dict[str, float], before: dict[str, float]) -> str:
    cells = []
    for column, value in now.items():
        digits = 2 if column.endswith("MB") else 0
        cells.append(f"{value:.{digits}f} ({value - before[column]:+.{digits}f})")
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
