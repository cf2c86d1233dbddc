"""The input gates as blocking asset checks: if one fails, nothing is predicted.

The rules are in `domain/policies/input_gates.py`. The sensor in `sensors/gate_retry.py` retries a
blocked night. An exception in a gate fails its step, which blocks the night too.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies import input_gates
from nba_predictions.domain.policies.input_gates import GATES, GATES_TAG, MODES, Finding, Outcome
from nba_predictions.logs import milestone
from nba_predictions.nightly import gates
from nba_predictions.orchestration.as_of import known_league
from nba_predictions.orchestration.assets import features, ingestion
from nba_predictions.orchestration.assets.ingestion import Batches, League
from nba_predictions.orchestration.partitions import game_date_of, partitioned_check_spec
from nba_predictions.settings import Settings

#: The metadata of the gate on the schedule with the time until which a night may wait.
FIRST_TIPOFF = "first_tipoff"
REASON = "reason"

TheSettings = dg.ResourceParam[Settings]


_Context = dg.AssetCheckExecutionContext


def _gate(asset: dg.AssetsDefinition, *names: str, also: dg.AssetsDefinition | None = None) -> Any:
    """Return the decorator of the gates `names` on an asset. They read it, and the asset `also`."""
    others = [also] if also else []
    specs = [
        partitioned_check_spec(
            name, asset=asset, additional_deps=others, description=GATES[name], blocking=True
        )
        for name in names
    ]
    inputs = {a.key.to_user_string(): dg.AssetIn(a.key) for a in (asset, *others)}
    return dg.multi_asset_check(specs=specs, ins=inputs, can_subset=len(specs) > 1)


@_gate(ingestion.schedule, "schedule_is_known")
def gate_on_schedule(
    context: _Context,
    schedule: pl.DataFrame,
    league: League,
    batches: Batches,
    settings: TheSettings,
) -> dg.AssetCheckResult:
    """Check the games of the date. The metadata has the first tip-off, for the retry sensor."""
    known = known_league(context, league, batches)
    finding = gates.schedule_finding(known, game_date_of(context.partition_key), schedule)
    first = schedule["tipoff"].min()
    return _result(
        context,
        settings,
        finding,
        tipoffs_unknown=schedule["tipoff"].null_count(),
        **{FIRST_TIPOFF: dg.MetadataValue.timestamp(first)} if isinstance(first, datetime) else {},
    )


@_gate(ingestion.game_logs, "no_game_is_missing")
def gate_on_game_logs(
    context: _Context,
    game_logs: pl.DataFrame,
    league: League,
    batches: Batches,
    settings: TheSettings,
) -> dg.AssetCheckResult:
    """Check that the box scores contain the scheduled games of the days before."""
    known = known_league(context, league, batches)
    game_date = game_date_of(context.partition_key)
    thresholds = settings.gate_thresholds
    finding = gates.game_logs_finding(known, game_date, game_logs, thresholds)
    return _result(context, settings, finding)


@_gate(ingestion.injuries, "injury_report_is_there")
def gate_on_injuries(
    context: _Context,
    injuries: pl.DataFrame,
    league: League,
    batches: Batches,
    settings: TheSettings,
) -> dg.AssetCheckResult:
    """Check that there is an injury report of the date."""
    known = known_league(context, league, batches)
    finding = gates.injuries_finding(known, game_date_of(context.partition_key), injuries)
    return _result(context, settings, finding)


@_gate(ingestion.prop_lines, "lines_are_fresh")
def gate_on_prop_lines(
    context: _Context,
    prop_lines: pl.DataFrame,
    league: League,
    batches: Batches,
    settings: TheSettings,
) -> dg.AssetCheckResult:
    """Check the age of the lines of each game."""
    known = known_league(context, league, batches)
    game_date = game_date_of(context.partition_key)
    thresholds = settings.gate_thresholds
    finding = gates.lines_finding(known, game_date, prop_lines, thresholds)
    return _result(context, settings, finding)


@_gate(
    features.slate,
    "every_game_has_players",
    "every_game_has_lines",
    "enough_players_have_lines",
    "lines_are_of_the_games",
    "rows_are_valid",
    # The slate was built from these lines, so they exist if the slate does.
    also=ingestion.prop_lines,
)
def gate_on_slate(
    context: _Context,
    slate: Slate,
    prop_lines: pl.DataFrame,
    league: League,
    batches: Batches,
    settings: TheSettings,
) -> Iterator[dg.AssetCheckResult]:
    """Compare the slate with the schedule, and the lines with the slate."""
    known = known_league(context, league, batches)
    for finding in gates.slate_findings(known, slate, prop_lines, settings.gate_thresholds):
        if finding.gate in {key.name for key in context.selected_asset_check_keys}:
            yield _result(context, settings, finding)


def _mode(tags: Mapping[str, str], settings: Settings) -> tuple[str, str]:
    """Return the mode of a run, and the setting or tag that it comes from.

    Raises:
        SettingsError: the tag of the run is not a mode.
    """
    tag = tags.get(GATES_TAG)
    if tag is None:
        return settings.gates, "NBA_PREDICTIONS_GATES"
    if tag not in MODES:
        raise SettingsError(f"the tag {GATES_TAG}={tag} is unknown; choose {' or '.join(MODES)}")
    return tag, f"the run's tag {GATES_TAG}"


def _result(
    context: _Context, settings: Settings, finding: Finding, **more: Any
) -> dg.AssetCheckResult:
    game_date = game_date_of(context.partition_key)
    mode, set_by = _mode(context.run.tags, settings)
    past = game_date < eastern_date(utc_now())
    outcome = input_gates.outcome(finding, mode, past=past, only_warn=settings.gates_only_warn)
    sentence = finding.sentence
    if outcome is Outcome.WAITS:
        sentence += (
            f". {game_date} waits for this input. To predict it anyway: --gates warn, or a run "
            f"with the tag {GATES_TAG}=warn"
        )
    elif outcome is Outcome.WARNS and past:
        sentence += ". This is only a warning because the date is past"
    if outcome is not Outcome.PASSES:
        milestone(
            "gate_failed",
            f"{finding.gate}: {sentence}",
            severity=logging.ERROR if outcome is Outcome.WAITS else logging.WARNING,
            gate=finding.gate,
            outcome=outcome.value,
            game_date=game_date,
            run_id=context.run.run_id,
            **finding.numbers,
        )
    return dg.AssetCheckResult(
        check_name=finding.gate,
        passed=outcome is Outcome.PASSES,
        severity=dg.AssetCheckSeverity.ERROR
        if outcome is Outcome.WAITS
        else dg.AssetCheckSeverity.WARN,
        description=sentence,
        metadata={
            **{name: _shown(value) for name, value in finding.numbers.items()},
            **more,
            # The finding without the advice that the description adds.
            REASON: finding.sentence,
            "finding": finding.level.name.lower(),
            "outcome": outcome.value,
            "gates": mode,
            "gates_set_by": set_by,
            "date_is_past": past,
        },
    )


def _shown(value: Any) -> Any:
    return dg.MetadataValue.json(value) if isinstance(value, (list, dict)) else value
