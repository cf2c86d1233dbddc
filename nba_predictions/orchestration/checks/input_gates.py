"""The input gates as blocking asset checks: if one fails, nothing is predicted.

The rules are in `domain/policies/input_gates.py`. The sensor in `sensors/gate_retry.py` retries a
blocked night. An exception in a gate fails its step, which blocks the night too.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Game, Slate
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies import input_gates
from nba_predictions.domain.policies.input_gates import GATES, GATES_TAG, MODES, Finding, Outcome
from nba_predictions.inputs.account import problems
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone
from nba_predictions.nightly.slate import unmatched_injuries
from nba_predictions.orchestration.assets import features, ingestion
from nba_predictions.orchestration.assets.ingestion import League
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
    context: _Context, schedule: pl.DataFrame, league: League, settings: TheSettings
) -> dg.AssetCheckResult:
    """Check the games of the date. The metadata has the first tip-off, for the retry sensor."""
    game_date = game_date_of(context.partition_key)
    provenance = league.provenance(game_date)
    finding = input_gates.schedule_is_known(
        game_date,
        len(schedule),
        is_given=provenance.schedule_is_given,
        until=provenance.schedule_until,
    )
    if schedule.is_empty():
        finding = _explained(finding, "schedule", game_date, league)
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
    context: _Context, game_logs: pl.DataFrame, league: League, settings: TheSettings
) -> dg.AssetCheckResult:
    """Check that the box scores contain the scheduled games of the days before."""
    game_date = game_date_of(context.partition_key)
    since = input_gates.oldest_result(game_date)
    recent = game_logs.filter(pl.col("game_date") >= since).group_by("game_id", "team").len()
    newest = game_logs["game_date"].max()
    is_given = league.provenance(game_date).schedule_is_given
    finding = input_gates.no_game_is_missing(
        game_date,
        # A schedule that was derived from the box scores has no other games.
        _games_before(game_date, league) if is_given else (),
        {(game, team): players for game, team, players in recent.iter_rows()},
        newest if isinstance(newest, date) else None,
        settings.gate_thresholds,
        is_given=is_given,
    )
    return _result(context, settings, finding)


@_gate(ingestion.injuries, "injury_report_is_there")
def gate_on_injuries(
    context: _Context, injuries: pl.DataFrame, league: League, settings: TheSettings
) -> dg.AssetCheckResult:
    """Check that there is an injury report of the date."""
    game_date = game_date_of(context.partition_key)
    schedule = league.schedule(game_date)
    unmatched = unmatched_injuries(game_date, league.game_logs(game_date), schedule, injuries)
    finding = input_gates.injury_report_is_there(
        game_date,
        len(schedule),
        injuries["player_lookup"].n_unique(),
        league.provenance(game_date).injuries_made_on,
        [entry.name for entry in unmatched],
    )
    if injuries.is_empty():
        finding = _explained(finding, "injuries", game_date, league)
    return _result(context, settings, finding)


@_gate(ingestion.prop_lines, "lines_are_fresh")
def gate_on_prop_lines(
    context: _Context, prop_lines: pl.DataFrame, league: League, settings: TheSettings
) -> dg.AssetCheckResult:
    """Check the age of the lines of each game."""
    game_date = game_date_of(context.partition_key)
    newest = prop_lines.group_by("away_team", "home_team").agg(pl.col("quoted_on").max())
    finding = input_gates.lines_are_fresh(
        game_date,
        len(league.schedule(game_date)),
        {f"{away} @ {home}": quoted_on for away, home, quoted_on in newest.iter_rows()},
        settings.gate_thresholds,
    )
    if prop_lines.is_empty():
        finding = _explained(finding, "points_lines", game_date, league)
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
    settings: TheSettings,
) -> Iterator[dg.AssetCheckResult]:
    """Compare the slate with the schedule, and the lines with the slate."""
    accounts = league.accounts(game_date_of(context.partition_key))
    for finding in (
        input_gates.every_game_has_players(slate),
        input_gates.every_game_has_lines(slate, settings.gate_thresholds),
        input_gates.enough_players_have_lines(slate, settings.gate_thresholds),
        input_gates.lines_are_of_the_games(slate, len(prop_lines)),
        input_gates.rows_are_valid(*problems(accounts)),
    ):
        if finding.gate in {key.name for key in context.selected_asset_check_keys}:
            yield _result(context, settings, finding)


def _explained(finding: Finding, kind: str, game_date: date, league: LeagueSource) -> Finding:
    """Return the finding on an empty input, with the rows of its files that rules left out."""
    rows, dropped = 0, Counter[str]()
    for account in league.accounts(game_date):
        if account.kind == kind and account.read:
            rows += account.rows
            dropped.update(account.dropped)
    return input_gates.explained(finding, rows, dropped)


def _games_before(game_date: date, league: LeagueSource) -> Iterator[Game]:
    for days in range(1, input_gates.RESULT_DAYS + 1):
        day = game_date - timedelta(days=days)
        for row in league.schedule(day).iter_rows(named=True):
            yield Game(row["game_id"], day, row["away_team"], row["home_team"])


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
