"""The contract of an input source, checked on live services, files and the simulated league."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.inputs.port import (
    GAME_LOGS,
    GAMES,
    INJURIES,
    LINES,
    LOGS,
    PLAYERS,
    PROP_LINES,
    REPORT,
    ROSTER,
    SCHEDULE,
    LeagueSource,
)
from nba_predictions_tests.inputs.landing.zones import (
    land,
    land_season,
    lines_of,
    nba_frames,
    player_index,
)
from nba_predictions_tests.leagues import small_league, write_files

NIGHT = date(2026, 1, 15)
DAYS = (NIGHT, date(2025, 10, 21), date(2025, 12, 24), date(2026, 7, 1))
#: A moment before the first tip-off at which all answers of the live source were fetched.
LANDED_AT = datetime(2025, 10, 21, 20, tzinfo=timezone.utc)


def live_league(folder: Path) -> LiveSource:
    zone = LandingZone(folder)
    frames = nba_frames(small_league(), "2025-26")
    land_season(zone, frames, "2025-26", DAYS, LANDED_AT)
    players = frames["player_game_logs"].unique("PLAYER_ID", keep="last").sort("PLAYER_ID")
    names = players.select("PLAYER_ID", "PLAYER_NAME", "TEAM_ABBREVIATION").iter_rows()
    land(zone, ("nba_stats", "playerindex", "2025-26"), player_index(names), LANDED_AT)
    return LiveSource(zone)


def made(name: str, tmp_path_factory: pytest.TempPathFactory) -> LeagueSource:
    if name == "simulated":
        return small_league()
    folder = tmp_path_factory.mktemp(name)
    if name == "live":
        return live_league(folder)
    write_files(small_league(), folder, ["2025-26"])
    return FilesSource(folder)


@pytest.fixture(scope="module", params=["simulated", "files", "live"])
def league(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LeagueSource:
    return made(request.param, tmp_path_factory)


@pytest.fixture(scope="module", params=["simulated", "files"])
def league_of_unknown_moments(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LeagueSource:
    """A source whose facts have no moment. Every fact of live services has one."""
    return made(request.param, tmp_path_factory)


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
    assert dict(league.roster(day).schema) == ROSTER


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
    league_of_unknown_moments: LeagueSource, age: timedelta
) -> None:
    league = league_of_unknown_moments
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
    # Files and simulated tables have rows of all dates.
    by_file = league.name != "live"
    if by_file and day in DAYS[:3]:
        assert {a.kind for a in accounts} == {LOGS, LINES, GAMES, REPORT}
    for account in accounts:
        assert account.read
        outcomes = (account.used, account.superseded, len(account.rejected))
        assert account.rows == sum(outcomes) + account.left_out
        assert min(*outcomes, *account.dropped.values()) >= 0
    logs, _, games, lines, report = frames(league, day)
    for kind, frame in ((LOGS, logs), (GAMES, games), (LINES, lines), (REPORT, report)):
        assert sum(a.used for a in accounts if a.kind == kind) == frame.height


@pytest.mark.parametrize("day", DAYS)
def test_live_answers_and_files_of_equal_content_give_equal_frames(
    tmp_path: Path, day: date
) -> None:
    frames_ = nba_frames(small_league(), "2025-26")
    frames_["points_lines"] = pl.concat(lines_of(frames_, each) for each in DAYS).drop("snap")
    frames_["injuries"] = frames_["injuries"].filter(pl.col("game_date").is_in(DAYS))
    folder = tmp_path / "files"
    folder.mkdir()
    for kind, frame in frames_.items():
        moment = pl.lit(LANDED_AT).dt.cast_time_unit("us").alias("observed_at")
        frame.with_columns(moment).write_parquet(folder / f"{kind}.parquet")
    live, files = live_league(tmp_path / "zone"), FilesSource(folder)
    for one, other in zip(frames(live, day), frames(files, day), strict=True):
        assert one.equals(other)
    assert [a.used for a in live.accounts(day) if a.kind == LOGS] == [live.game_logs(day).height]
    assert [a.kind for a in live.accounts(day)].count(PLAYERS) == 1
