"""Live through one day against the stand-in of the live services: `make run-live`.

The clock of the pipeline moves from the morning to the next morning in steps. At each step, the
sensors run as in the daemon, and request what is due. The last line is the verdict on the day.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import polars as pl

from nba_predictions.cli.fetching import seed_history
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import load_settings
from nba_predictions.domain import clock
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.orchestration.jobs import refresh_predictions
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings
from nba_predictions_tests.standins.live.server import LiveServer, live_server

import dagster as dg

#: A day in the middle of the season of the stand-in.
DAY = date(2026, 1, 15)
#: The steps of the clock. The daemon evaluates the sensors each minute.
STEP = timedelta(minutes=15)
FIRST, LAST = time(6, 30), time(8, 0)
SENSORS = ("follow_live_day", "predict_waiting_nights", "publish_cleaned_batches")


def moments(day: date) -> Iterator[datetime]:
    """Yield the moments of a day, from its morning to the next one."""
    moment = datetime.combine(day, FIRST, EASTERN).astimezone(clock.machine_now().tzinfo)
    end = datetime.combine(day + timedelta(days=1), LAST, EASTERN)
    while moment <= end:
        yield moment
        moment += STEP


def live_through(settings: Settings, day: date, server: LiveServer) -> int:
    """Live through a day; return 0 if it is complete and graded."""
    clock.start_at(next(moments(day)))
    if seed_history(settings, 2, injuries=False):
        return 1
    with Pipeline(settings) as pipeline:
        for moment in moments(day):
            clock.start_at(moment)
            for sensor in SENSORS:
                pipeline.tick(sensor)
        return _verdict(settings, pipeline, day, server)
