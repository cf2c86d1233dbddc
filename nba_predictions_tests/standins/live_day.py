"""Live through one day against the stand-in of the live services: `make run-live`.

The clock of the pipeline moves from the morning to the next morning in steps. At each step, the
sensors are evaluated as by the daemon, and request what is due. The last line is the verdict on the
day:

    DAY 2026-01-15 COMPLETE games=6 players=118 refreshes=5 graded=3540 credits=12
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import dagster as dg

from nba_predictions.cli.fetching import seed_history
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import load_settings
from nba_predictions.domain import clock
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.policies.day_plan import missing_results
from nba_predictions.domain.tables import PREDICTIONS, RESULTS, Table
from nba_predictions.nightly.slate import games_of
from nba_predictions.orchestration.jobs import refresh_predictions
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings
from nba_predictions_tests.standins.live import FolderSeasons, LiveStandIn

#: A day in the middle of the season of the stand-in.
DAY = date(2026, 1, 15)
SEASONS = 2
#: The daemon evaluates the sensors each minute. Steps of a quarter of an hour meet all moments.
STEP = timedelta(minutes=15)
FIRST, LAST = time(6, 30), time(6, 45)
SENSORS = ("follow_live_day", "predict_waiting_nights")


def moments(day: date) -> Iterator[datetime]:
    """Yield the moments of a day in UTC, from its morning to the next one."""
    moment = datetime.combine(day, FIRST, EASTERN).astimezone(timezone.utc)
    end = datetime.combine(day + timedelta(days=1), LAST, EASTERN)
    while moment <= end:
        yield moment
        moment += STEP


def live_through(settings: Settings, day: date) -> None:
    """Evaluate the sensors at each moment of a day. The history must be landed."""
    with Pipeline(settings) as pipeline:
        for moment in moments(day):
            clock.start_at(moment)
            for sensor in SENSORS:
                pipeline.tick(sensor)
            # The sensor that publishes pauses by the clock of the machine.
            pipeline.publish(day)


def verdict(settings: Settings, day: date, credits_used: int) -> tuple[str, bool]:
    """Return the last line, and whether the day is complete and graded."""
    with Pipeline(settings) as pipeline:
        games = games_of(pipeline.league.schedule(day))
        counted = pipeline.league.box_scores(day).group_by("game_id", "team").len()
        players = {(game, team): count for game, team, count in counted.iter_rows()}
        predicted = pipeline.warehouse.query("predictions_of_date", PREDICTIONS, partition=day)
        players_predicted = set(predicted.column("player_lookup").to_pylist())
        graded = _row_count(pipeline, RESULTS, day)
        refreshes = pipeline.instance.get_runs_count(
            dg.RunsFilter(
                job_name=refresh_predictions.name,
                statuses=[dg.DagsterRunStatus.SUCCESS],
                tags={PARTITION_TAG: day.isoformat()},
            )
        )
        complete = (
            pipeline.audit(day).verdict is Verdict.COMPLETE
            and not missing_results(games, players)
            and graded == predicted.num_rows > 0
        )
    line = (
        f"DAY {day} {'COMPLETE' if complete else 'INCOMPLETE'} games={len(games)} "
        f"players={len(players_predicted)} refreshes={refreshes} "
        f"graded={graded} credits={credits_used}"
    )
    return line, complete


def _row_count(pipeline: Pipeline, table: Table, day: date) -> int:
    counted = pipeline.warehouse.query("rows_of_date", table, partition=day)
    return int(counted.to_pylist()[0]["row_count"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nba_predictions_tests.standins.live_day")
    parser.add_argument("--game-date", type=date.fromisoformat, default=DAY)
    parser.add_argument("--data", type=Path, help="a folder with real games and lines")
    options = parser.parse_args()
    day = options.game_date
    clock.start_at(next(moments(day)))
    seasons = FolderSeasons(options.data) if options.data else None
    with LiveStandIn(seasons) as standin:
        os.environ.update(standin.environment)
        os.environ["NBA_PREDICTIONS_SOURCE"] = "live"
        os.environ.setdefault("NBA_PREDICTIONS_REQUEST_PAUSE_SECONDS", "0")
        settings = load_settings()
        if seed_history(settings, SEASONS, injuries=False):
            return 1
        live_through(settings, day)
        line, complete = verdict(settings, day, standin.credits_used)
    print(line)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
