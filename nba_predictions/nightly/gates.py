"""Evaluate the input gates of a date. The rules are in domain/policies/input_gates.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from nba_predictions.domain.betting.slate import Game, Slate
from nba_predictions.domain.policies import input_gates
from nba_predictions.domain.policies.input_gates import Finding, GateThresholds
from nba_predictions.inputs.account import problems
from nba_predictions.inputs.port import GAMES, LINES, REPORT, LeagueSource
from nba_predictions.nightly.slate import games_of, unmatched_injuries


def schedule_finding(source: LeagueSource, game_date: date, schedule: pl.DataFrame) -> Finding:
    """Check that the games of the date are known."""
    provenance = source.provenance(game_date)
    finding = input_gates.schedule_is_known(
        game_date,
        len(schedule),
        is_given=provenance.schedule_is_given,
        until=provenance.schedule_until,
    )
    return _explained(finding, GAMES, game_date, source) if schedule.is_empty() else finding


def game_logs_finding(
    source: LeagueSource, game_date: date, game_logs: pl.DataFrame, thresholds: GateThresholds
) -> Finding:
    """Check that the box scores contain the scheduled games of the days before."""
    since = input_gates.oldest_result(game_date)
    recent = game_logs.filter(pl.col("game_date") >= since).group_by("game_id", "team").len()
    newest = game_logs["game_date"].max()
    is_given = source.provenance(game_date).schedule_is_given
    return input_gates.no_game_is_missing(
        game_date,
        # A schedule that was derived from the box scores has no other games.
        _games_before(game_date, source) if is_given else (),
        {(game, team): players for game, team, players in recent.iter_rows()},
        newest if isinstance(newest, date) else None,
        thresholds,
        is_given=is_given,
    )


def injuries_finding(source: LeagueSource, game_date: date, injuries: pl.DataFrame) -> Finding:
    """Check that there is an injury report of the date, and that it names known players."""
    schedule = source.schedule(game_date)
    unmatched = unmatched_injuries(
        game_date,
        source.game_logs(game_date),
        schedule,
        injuries,
        roster=source.roster(game_date),
    )
    provenance = source.provenance(game_date)
    finding = input_gates.injury_report_is_there(
        game_date,
        len(schedule),
        injuries["player_lookup"].n_unique(),
        provenance.injuries_made_on,
        [entry.name for entry in unmatched],
    )
    if provenance.by_the_hour and provenance.as_of is not None:
        finding = input_gates.injury_report_is_current(
            finding,
            games_of(schedule),
            provenance.as_of,
            provenance.injuries_made_at,
            provenance.teams_not_reported,
        )
    return _explained(finding, REPORT, game_date, source) if injuries.is_empty() else finding


def lines_finding(
    source: LeagueSource, game_date: date, prop_lines: pl.DataFrame, thresholds: GateThresholds
) -> Finding:
    """Check the age of the lines of each game."""
    finding = _age_of_lines(source, game_date, prop_lines, thresholds)
    return _explained(finding, LINES, game_date, source) if prop_lines.is_empty() else finding


def _age_of_lines(
    source: LeagueSource, game_date: date, prop_lines: pl.DataFrame, thresholds: GateThresholds
) -> Finding:
    schedule, provenance = source.schedule(game_date), source.provenance(game_date)
    if provenance.by_the_hour and provenance.as_of is not None:
        newest_at = prop_lines.group_by("game_id").agg(pl.col("quoted_at").max())
        return input_gates.lines_are_recent(
            games_of(schedule), dict(newest_at.iter_rows()), provenance.as_of, thresholds
        )
    newest = prop_lines.group_by("away_team", "home_team").agg(pl.col("quoted_on").max())
    return input_gates.lines_are_fresh(
        game_date,
        len(schedule),
        {f"{away} @ {home}": quoted_on for away, home, quoted_on in newest.iter_rows()},
        thresholds,
    )


def slate_findings(
    source: LeagueSource, slate: Slate, prop_lines: pl.DataFrame, thresholds: GateThresholds
) -> list[Finding]:
    """Compare the slate with the schedule and the lines, and check the rows of all inputs."""
    by_the_hour = source.provenance(slate.game_date).by_the_hour
    return [
        input_gates.every_game_has_players(slate),
        input_gates.every_game_has_lines(slate, thresholds, by_the_hour=by_the_hour),
        input_gates.enough_players_have_lines(slate, thresholds),
        input_gates.lines_are_of_the_games(slate, len(prop_lines)),
        input_gates.rows_are_valid(*problems(source.accounts(slate.game_date))),
    ]


def findings_of(source: LeagueSource, slate: Slate, thresholds: GateThresholds) -> list[Finding]:
    """Evaluate all gates of a date on a source."""
    game_date = slate.game_date
    prop_lines = source.prop_lines(game_date)
    return [
        schedule_finding(source, game_date, source.schedule(game_date)),
        game_logs_finding(source, game_date, source.game_logs(game_date), thresholds),
        injuries_finding(source, game_date, source.injuries(game_date)),
        lines_finding(source, game_date, prop_lines, thresholds),
        *slate_findings(source, slate, prop_lines, thresholds),
    ]


def _explained(finding: Finding, kind: str, game_date: date, source: LeagueSource) -> Finding:
    """Return the finding on an empty input, with the rows of its files that rules left out."""
    rows, dropped = 0, Counter[str]()
    for account in source.accounts(game_date):
        if account.kind == kind and account.read:
            rows += account.rows
            dropped.update(account.dropped)
    return input_gates.explained(finding, rows, dropped)


def _games_before(game_date: date, source: LeagueSource) -> Iterator[Game]:
    for days in range(1, input_gates.RESULT_DAYS + 1):
        day = game_date - timedelta(days=days)
        for row in source.schedule(day).iter_rows(named=True):
            yield Game(row["game_id"], day, row["away_team"], row["home_team"])
