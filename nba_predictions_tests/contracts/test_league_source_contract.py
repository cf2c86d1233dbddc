"""The contract of an input source, checked on the files and on the simulated league."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import polars as pl
import pytest

from nba_predictions.inputs.port import (
    GAME_LOGS,
    GAMES,
    INJURIES,
    LINES,
    LOGS,
    PROP_LINES,
    REPORT,
    SCHEDULE,
    LeagueSource,
)
from nba_predictions_tests.leagues import small_league, write_files

NIGHT = date(2026, 1, 15)
DAYS = (NIGHT, date(2025, 10, 21), date(2025, 12, 24), date(2026, 7, 1))


@pytest.fixture(scope="module", params=["simulated", "files"])
def league(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LeagueSource:
    if request.param == "simulated":
        return small_league()
    from nba_predictions.inputs.files import FilesSource

    folder = tmp_path_factory.mktemp("league")
    write_files(small_league(), folder, ["2025-26"])
    return FilesSource(folder)


def frames(league: LeagueSource, day: date) -> list[pl.DataFrame]:
    return [
        league.game_logs(day),
        league.box_scores(day),
        league.schedule(day),
        league.prop_lines(day),
        league.injuries(day),
    ]


@pytest.mark.parametrize("day", DAYS)
def test_frames_have_the_schemas_of_the_port(league: LeagueSource, day: date) -> None:
    schemas = [dict(frame.schema) for frame in frames(league, day)]
    assert schemas == [GAME_LOGS, GAME_LOGS, SCHEDULE, PROP_LINES, INJURIES]


@pytest.mark.parametrize("day", DAYS)
def test_history_ends_before_the_date_and_other_frames_are_of_the_date(
    league: LeagueSource, day: date
) -> None:
    logs, *of_the_date = frames(league, day)
    assert (logs["game_date"] < day).all()
    assert logs["game_date"].is_sorted()
    assert all((frame["game_date"] == day).all() for frame in of_the_date)


def test_a_player_has_one_key(league: LeagueSource) -> None:
    keys = league.game_logs(NIGHT).select("player_id", "player_lookup").unique()
    assert not keys["player_id"].is_duplicated().any()
    assert not keys["player_lookup"].is_duplicated().any()
    assert set(league.box_scores(NIGHT).select("player_id", "player_lookup").rows()) <= set(
        keys.rows()
    )


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=9000), timedelta(days=-9000)])
def test_facts_of_unknown_moment_are_known_at_any_moment(
    league: LeagueSource, age: timedelta
) -> None:
    as_of = datetime(2026, 1, 15, 20, tzinfo=timezone.utc) - age
    view = league.known_at(as_of)
    assert view.name == league.name
    for seen, whole in zip(frames(view, NIGHT), frames(league, NIGHT), strict=True):
        # A line is not known before the day of its quote.
        is_early = "quoted_on" in whole.columns and as_of.date() < NIGHT
        assert seen.equals(whole) or (is_early and seen.is_empty())
    assert view.provenance(NIGHT) == league.provenance(NIGHT)


@pytest.mark.parametrize("day", DAYS)
def test_every_row_is_accounted_for_once(league: LeagueSource, day: date) -> None:
    accounts = league.accounts(day)
    assert {a.kind for a in accounts} == {LOGS, LINES, GAMES, REPORT} or day not in DAYS[:3]
    for account in accounts:
        assert account.read
        outcomes = (account.used, account.superseded, len(account.rejected))
        assert account.rows == sum(outcomes) + account.left_out
        assert min(*outcomes, *account.dropped.values()) >= 0
    logs, _, games, lines, report = frames(league, day)
    for kind, frame in ((LOGS, logs), (GAMES, games), (LINES, lines), (REPORT, report)):
        assert sum(a.used for a in accounts if a.kind == kind) == frame.height
