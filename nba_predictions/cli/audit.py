"""The command `audit`: print the state of a game date, and change nothing."""

from __future__ import annotations

import json
from datetime import date

from nba_predictions.cli.output import print_steps, print_verdict
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.nightly.audit import audit_night
from nba_predictions.settings import Settings


def print_audit(settings: Settings, game_date: date, batch_id: str | None, *, as_json: bool) -> int:
    """Print the audit of the newest batch of a date, or of the named batch."""
    pipeline = Pipeline(settings)
    pipeline.warehouse.prepare()
    if batch_id:
        game_date = pipeline.batches.get(batch_id).game_date
    audit = audit_night(game_date, pipeline.batches, pipeline.warehouse, batch_id)
    if as_json:
        print(json.dumps(audit.to_json(), indent=1))
        return 0 if audit.complete else 1
    print_steps(game_date, audit)
    return print_verdict(game_date, audit)
