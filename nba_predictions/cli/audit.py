"""The command `audit`: print the state of a game date, and change nothing."""

from __future__ import annotations

import json
from datetime import date

from nba_predictions.cli.output import print_steps, print_verdict
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.nightly.audit import gather_evidence, report
from nba_predictions.settings import Settings


def print_audit(settings: Settings, game_date: date, batch_id: str | None, *, as_json: bool) -> int:
    """Print the audit of the newest batch of a date, or of the named batch."""
    pipeline = Pipeline(settings)
    pipeline.warehouse.prepare()
    if batch_id:
        game_date = pipeline.batches.get(batch_id).game_date
    evidence = gather_evidence(game_date, pipeline.batches, pipeline.warehouse, batch_id)
    told = report(evidence)
    if as_json:
        print(json.dumps(told, indent=1))
        return 0 if told["verdict"] == Verdict.COMPLETE.value else 1
    print_steps(game_date, told)
    return print_verdict(game_date, evidence, told)
