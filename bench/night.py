"""Measure the overhead of the pipeline: a full slate of 450 simulated players and a plain loop.

The plain loop reads the same input, makes the same predictions and logs the same materialization
event per player. It is one op without staging, completions or merge. Both run in this process in
turns, on the same kind of Dagster instance, after a first round that is not measured.

    python -m bench.night [--rounds 3] [--chunk-size 100] [--threads 2]
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.features.build import build_features
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.nightly.predicting import player_predictor
from nba_predictions.nightly.slate import load_slate, slate_frame
from nba_predictions.orchestration.assets.staging import player_staging
from nba_predictions.orchestration.partitions import player_nights, player_partition_key
from nba_predictions.settings import Settings
from nba_predictions.training.model_selection import models_of_date

GAME_DATE = date(2026, 1, 13)
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def plain_loop(resources: dict[str, Any]) -> dg.JobDefinition:
    """Return a job of one op that predicts the slate and logs each player's materialization."""

    @dg.op(out=dg.Out(dg.Nothing))
    def loop(context: dg.OpExecutionContext) -> None:
        league, store = resources["league"], resources["model_store"]
        logs = league.game_logs(before=GAME_DATE)
        slate: Slate = load_slate(
            GAME_DATE,
            logs,
            league.schedule(GAME_DATE),
            league.prop_lines(GAME_DATE),
            league.injuries(GAME_DATE),
        )
        features = build_features(logs, slate_frame(slate))
        models = models_of_date(GAME_DATE, logs, store).models
        predict = player_predictor("plain_loop", features, models, slate.features_as_of)
        keys = [player_partition_key(GAME_DATE, p.player_lookup) for p in slate.players]
        context.instance.add_dynamic_partitions(str(player_nights.name), keys)
        for player, key in zip(slate.players, keys, strict=True):
            rows = predict(player)
            context.log_event(
                dg.AssetMaterialization(
                    player_staging.key,
                    partition=key,
                    metadata={"batch_id": "plain_loop", "rows": len(rows)},
                )
            )

    @dg.job(executor_def=dg.in_process_executor)
    def plain() -> None:
        loop()

    return plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chunk-size", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench_night_"))
    resources = build_resources(Settings(home=home))
    resources["league"] = SimulatedLeague(line_share=1.0)
    definitions = build_definitions(resources)
    chunks = {
        "ops": {
            "staged_predictions": {
                "ops": {
                    "open_batch_and_fan_out": {"config": {"chunk_size": options.chunk_size}},
                    "predict_and_stage": {"config": {"threads": options.threads}},
                }
            }
        }
    }
    jobs: dict[str, tuple[dg.JobDefinition, dict[str, Any]]] = {
        "pipeline": (definitions.resolve_job_def("nightly_predictions"), {**_QUIET, **chunks}),
        "plain loop": (plain_loop(resources), _QUIET),
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    (home / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(home / "dagster")) as instance:
        for turn in range(options.rounds + 1):
            for name, (job, config) in jobs.items():
                started = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    job.execute_in_process(
                        instance=instance,
                        run_config=config,
                        partition_key=GAME_DATE.isoformat() if job.partitions_def else None,
                    )
                # The first turn trains the models and generates the league, so it does not count.
                if turn:
                    seconds[name].append(time.perf_counter() - started)
    players = len(resources["batches"].completions(_newest(resources)))
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(
            f"{name:>10}: {middle:6.2f} s, {1000 * middle / players:5.1f} ms per player "
            f"({players} players, {options.rounds} rounds: {', '.join(f'{t:.2f}' for t in times)})"
        )
    ratios = [a / b for a, b in zip(seconds["pipeline"], seconds["plain loop"], strict=True)]
    print(f"     ratio: {statistics.median(ratios):.2f} (pipeline / plain loop)")


def _newest(resources: dict[str, Any]) -> str:
    return str(resources["batches"].of_date(GAME_DATE)[0].batch_id)


if __name__ == "__main__":
    main()
