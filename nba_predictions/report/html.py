"""A night as one page that stands alone: it asks nothing of any network, and prints."""

from __future__ import annotations

from base64 import b64encode
from importlib import resources

import polars as pl

from nba_predictions import __version__
from nba_predictions.report import plots
from nba_predictions.report.formatting import cell, cells
from nba_predictions.report.night import (
    LOOK_BACK,
    NightReport,
    by_game,
    furthest_from_line,
    line_coverage,
    phases_table,
    reasons_table,
    reconciliation_table,
    steps_table,
)

TEMPLATE = "night.html.j2"


def render_page(night: NightReport) -> str:
    """Return the page of a night. Whatever comes from data is escaped."""
    # Here, because of all commands only this one needs it.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell
    environment.filters["cells"] = cells
    environment.filters["number"] = _is_number
    environment.filters["picture"] = data_uri
    template = resources.files("nba_predictions.report").joinpath(TEMPLATE).read_text("utf-8")
    graded = night.graded
    when = night.game_date.isoformat()
    return environment.from_string(template).render(
        night=night,
        audit=night.audit,
        batch=night.batch,
        version=__version__,
        steps=steps_table(night.audit.steps),
        phases=phases_table(night.phases),
        reconciliation=night.reconciliation and reconciliation_table(night.reconciliation),
        problems=night.reconciliation.merge_problems() if night.reconciliation else [],
        coverage=line_coverage(night.at_base),
        games=by_game(night.at_base),
        furthest=furthest_from_line(night.at_base),
        failed=reasons_table(night.failed),
        skipped=reasons_table(night.skipped),
        look_back=LOOK_BACK.days,
        distributions=plots.distributions(night.at_base),
        against_the_line=plots.against_the_line(night.at_base),
        error_by_system=graded and plots.error_by_system(graded.by_system, when),
        calibration=graded and plots.calibration(graded.buckets, when),
        past_calibration=graded
        and plots.calibration(graded.past_buckets, f"{LOOK_BACK.days} days to {when}"),
        error_by_date=graded and plots.error_by_date(graded.by_date),
    )


def data_uri(png: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_numeric()
