"""Options that several commands share, and how a date is read.

An option is an `Annotated` type: use it as the annotation of a command's parameter.
"""

from datetime import date, timedelta
from typing import Annotated, Any

import typer

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import eastern_date

#: The default game date of the simulated league, in the middle of its season.
DEMO_DATE = date(2026, 1, 15)

_DAYS_FROM_TODAY = {"today": 0, "yesterday": -1, "tomorrow": 1}


def read_date(text: str) -> date:
    """Read YYYY-MM-DD, or a day relative to today in US Eastern time."""
    if text in _DAYS_FROM_TODAY:
        return eastern_date(utc_now()) + timedelta(days=_DAYS_FROM_TODAY[text])
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a date; use YYYY-MM-DD, today, yesterday or tomorrow"
        ) from None


def date_option(name: str, meaning: str, default: str | None = None) -> Any:
    """Return an option that takes a date. `default` describes the default in the help."""
    return typer.Option(
        name,
        parser=read_date,
        metavar="DATE",
        autocompletion=lambda: list(_DAYS_FROM_TODAY),
        show_default=default or False,
        help=f"{meaning}, US Eastern: YYYY-MM-DD, today, yesterday or tomorrow.",
    )


def tonight(source: str, game_date: date | None) -> date:
    """Return the requested date; by default the demo date or, for real games, today."""
    return game_date or (DEMO_DATE if source == "simulated" else read_date("today"))


def last_night(source: str, game_date: date | None) -> date:
    """Return the requested date; by default the demo date or, for real games, yesterday."""
    return game_date or (DEMO_DATE if source == "simulated" else read_date("yesterday"))


_DEMO = f"{DEMO_DATE} for the simulated league"

Tonight = Annotated[date | None, date_option("--game-date", "Game date", f"today; {_DEMO}")]
LastNight = Annotated[date | None, date_option("--game-date", "Game date", f"yesterday; {_DEMO}")]
FirstDate = Annotated[date, date_option("--from", "First game date")]
LastDate = Annotated[date, date_option("--to", "Last game date")]
BatchId = Annotated[
    str, typer.Option("--batch", metavar="ID", help="The batch, as `audit` prints it.")
]
AnyBatchId = Annotated[
    str | None,
    typer.Option("--batch", metavar="ID", help="A batch other than the newest one of the date."),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="MOMENT",
        help="Use only what was known at this moment: ISO 8601 with an offset, for example "
        "2026-01-15T18:30:00-05:00.",
        show_default="now",
    ),
]
