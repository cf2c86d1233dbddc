"""Render the report of a night as a self-contained HTML page without network requests."""

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
    """Return the HTML page of a night. All values are escaped."""
    # Imported here because no other command needs it.
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
    dates = night.game_date.isoformat()
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
        error_by_system=graded and plots.error_by_system(graded.by_system, dates),
        calibration=graded and plots.calibration(graded.buckets, dates),
        past_calibration=graded
        and plots.calibration(graded.past_buckets, f"{LOOK_BACK.days} days to {dates}"),
        error_by_date=graded and plots.error_by_date(graded.by_date),
    )


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_numeric()
