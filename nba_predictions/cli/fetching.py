"""The commands `fetch` and `seed`: ask the live services, and show what came."""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from datetime import date, datetime

import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.cli.output import print_frame
from nba_predictions.definitions import build_resources
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.fetching.port import FetchReport, InputFetcher
from nba_predictions.nightly.leases import fetch_lease
from nba_predictions.settings import Settings

_RUN_ID = "command line"


def fetch_date(settings: Settings, game_date: date, *, check: bool, as_json: bool) -> int:
    """Fetch the inputs of a date; return 1 if a service did not answer as it should."""

    def ask(fetcher: InputFetcher) -> FetchReport:
        if check:
            return fetcher.check(game_date, run_id=_RUN_ID)
        return fetcher.fetch_inputs(game_date, run_id=_RUN_ID)

    # The log must not come between the lines of the JSON.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        report = _as_only_process(settings, ask)
    if report is None:
        return 1
    if as_json:
        print(json.dumps(asdict(report), indent=1, default=str))
    else:
        _print_answers(report)
        _print_summary(f"FETCH {game_date}", report)
    return 1 if report.problems else 0


def seed_history(settings: Settings, seasons: int, *, injuries: bool) -> int:
    """Fetch past seasons, printing the progress; return 1 if something is missing at the end."""

    def ask(fetcher: InputFetcher) -> FetchReport:
        return fetcher.seed(seasons, run_id=_RUN_ID, progress=_print_now, injuries=injuries)

    report = _as_only_process(settings, ask)
    if report is None:
        return 1
    _print_summary(f"SEED seasons={seasons}", report)
    return 1 if report.problems else 0


def _as_only_process(
    settings: Settings, ask: Callable[[InputFetcher], FetchReport]
) -> FetchReport | None:
    """Return the report of a fetch; None, with a message, if another process is fetching."""
    resources = build_resources(settings)
    batches: BatchStore = resources["batches"]
    batches.prepare()
    try:
        with fetch_lease(batches, run_id=_RUN_ID):
            return ask(resources["fetcher"])
    except LeaseLostError:
        print(
            "nba-predictions: another process is fetching; try again when it is done",
            file=sys.stderr,
        )
        return None


def _print_now(line: str) -> None:
    print(line, flush=True)


def _print_answers(report: FetchReport) -> None:
    now = utc_now()
    rows = [
        {
            "kind": answer.kind,
            "provider": answer.provider,
            "resource": answer.resource,
            "outcome": answer.outcome,
            "age": _age(answer.source_time or answer.fetched_at, now),
            "credits": answer.cost,
            "note": answer.note,
        }
        for answer in report.answers
    ]
    if rows:
        print_frame(pl.DataFrame(rows, infer_schema_length=None))


def _age(moment: datetime | None, now: datetime) -> str:
    """Return the age of an answer in hours and minutes.

    >>> from datetime import timedelta, timezone
    >>> noon = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
    >>> _age(noon, noon + timedelta(minutes=75)), _age(None, noon)
    ('1:15', '')
    """
    if moment is None:
        return ""
    minutes = int((now - moment).total_seconds() // 60)
    return f"{minutes // 60}:{minutes % 60:02d}"


def _print_summary(title: str, report: FetchReport) -> None:
    for problem in report.problems:
        print(f"problem: {problem}")
    left = [
        f"{name}={value}"
        for name, value in (
            ("credits_left_today", report.credits_left_today),
            ("credits_left_this_month", report.credits_left_this_month),
        )
        if value is not None
    ]
    counts = (f"requests={report.requests}", f"credits={report.credits}", *left)
    print(title, *counts, f"problems={len(report.problems)}")
