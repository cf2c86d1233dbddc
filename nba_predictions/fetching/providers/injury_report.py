"""The injury report of the league: a PDF for each quarter of an hour. There is no list of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta, timezone
from typing import Final

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.client import Ask, Judgment, refused
from nba_predictions.fetching.providers.bodies import broken
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.importing import injury_pdf
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.tables import Context
from nba_predictions.inputs.importing.values import ConversionError
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import REPORT

PROVIDER: Final = "injury_report"
NAME: Final = "report"
#: From this moment on, US Eastern, there is a report each quarter of an hour. Before, there was one
#: at half past each hour, whose name has only the hour.
_EACH_QUARTER: Final = datetime(2025, 12, 22, 9, tzinfo=EASTERN)
QUARTER: Final = timedelta(minutes=15)
#: A report of another moment than its name says is not the one that was asked for.
_TOLERANCE: Final = timedelta(minutes=45)
#: The report from which the history is taken.
OF_HISTORY: Final = time(17, 30)


def slots(now: datetime, hours: float) -> Iterator[datetime]:
    """Yield the moments of the reports up to `now`, newest first, US Eastern.

    The hour in which the clocks go back has its names twice. They are yielded once.
    """
    step, minutes = QUARTER, 15
    local = now.astimezone(EASTERN)
    if local < _EACH_QUARTER:
        step, minutes, local = timedelta(hours=1), 60, local - timedelta(minutes=30)
    # Times are compared and subtracted in UTC, because an hour may be missing or repeated.
    last = local.replace(minute=local.minute // minutes * minutes, second=0, microsecond=0)
    names = set()
    for number in range(int(timedelta(hours=hours) / step)):
        slot = (last.astimezone(timezone.utc) - number * step).astimezone(EASTERN)
        if key_of(slot) not in names:
            names.add(key_of(slot))
            yield slot if step == QUARTER else slot + timedelta(minutes=30)


def file_name(slot: datetime) -> str:
    """Return the name of the report of a moment, with a clock of 12 hours.

    >>> file_name(datetime(2026, 11, 25, 13, 0, tzinfo=EASTERN))
    'Injury-Report_2026-11-25_01_00PM.pdf'
    >>> file_name(datetime(2025, 1, 10, 17, 30, tzinfo=EASTERN))
    'Injury-Report_2025-01-10_05PM.pdf'
    """
    clock = f"{slot:%I_%M%p}" if slot >= _EACH_QUARTER else f"{slot:%I%p}"
    return f"Injury-Report_{slot:%Y-%m-%d}_{clock}.pdf"


def key_of(slot: datetime) -> str:
    """Return the key of the report of a moment."""
    return f"{slot:%Y-%m-%d.%H_%M}"


def report(base: str, slot: datetime, headers: Mapping[str, str]) -> Ask:
    """Return the request for the report of a moment, US Eastern."""

    def judge(answer: Answer) -> Judgment:
        # The service answers 403 mostly, if there is no such report.
        if answer.status in (403, 404):
            return Judgment(Outcome.NOT_THERE, f"HTTP {answer.status}")
        error = refused(answer)
        if error is not None:
            return error
        if not answer.body.startswith(b"%PDF"):
            return broken("the answer is not a PDF", again=True)
        document = Document(file_name(slot), answer.body)
        try:
            moment = injury_pdf.convert(document, Context()).made_at
        except ConversionError as problem:
            return broken(str(problem))
        assert moment is not None, "the conversion requires a masthead"
        made = moment.astimezone(EASTERN)
        # Names and mastheads do not tell the two hours apart in which the clocks go back.
        if abs(made.replace(tzinfo=None) - slot.replace(tzinfo=None)) > _TOLERANCE:
            wrong = f"it is the report of {made:%Y-%m-%d %H:%M} Eastern"
            return Judgment(Outcome.REFUSED, wrong)
        return Judgment(Outcome.NEW, source_time=moment)

    resource = Resource(PROVIDER, NAME, key_of(slot))
    return Ask(REPORT, resource, f"{base}/{file_name(slot)}", judge, headers, extension="pdf")
