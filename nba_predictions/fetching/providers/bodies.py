"""What the judges of several services share: the body of an answer as JSON."""

from __future__ import annotations

import json
from typing import Any

from nba_predictions.fetching.client import Judgment, refused
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome


def broken(error: str, *, again: bool = False) -> Judgment:
    """Return the judgment of a body that is not what the service documents."""
    return Judgment(Outcome.BROKEN, error, again=again)


def json_of(answer: Answer) -> tuple[Any, Judgment | None]:
    """Return the JSON of an answer, or the judgment of an answer without it."""
    error = refused(answer)
    if error is not None:
        return None, error
    if not answer.body.strip():
        return None, broken("the answer is empty", again=True)
    if answer.body.lstrip().startswith(b"<"):
        return None, broken("the answer is an HTML page", again=True)
    try:
        return json.loads(answer.body), None
    except (ValueError, RecursionError):
        return None, broken("the answer is not JSON, or cut off", again=True)


def object_of(answer: Answer, *keys: str) -> tuple[dict[str, Any], Judgment | None]:
    """Return the JSON object of an answer with some keys, or the judgment of any other answer."""
    value, error = json_of(answer)
    if error is not None:
        return {}, error
    if not isinstance(value, dict) or not value:
        return {}, broken("the answer is not a JSON object with content", again=True)
    missing = [key for key in keys if key not in value]
    if missing:
        names = ", ".join(list(map(str, value))[:8])
        return {}, broken(f"{', '.join(missing)} is missing; the answer has {names}")
    return value, None
