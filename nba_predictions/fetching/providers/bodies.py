"""What the judges of several services share: the body of an answer as JSON, and moments in it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, Final

from nba_predictions.fetching.client import Judgment, refused
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome

_OLDEST: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


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


def moment_of(text: object) -> datetime | None:
    """Return a moment in ISO 8601 with an offset or `Z`, in UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        # The first and the last year have moments that no other time zone has.
        found = moment.astimezone(timezone.utc) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and found > _OLDEST else None
