"""The faults of the services, one by one: what a fetch reports, lands, and what is read then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nba_predictions.domain.league.games import make_game_id
from nba_predictions.fetching.port import FetchReport
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions_tests.fetching.services.conftest import (
    DAY,
    YESTERDAY,
    LiveLeague,
    at,
    eastern,
    live_league,
)
from nba_predictions_tests.standins.live import FAULTS, Fault, SimulatedSeasons
from nba_predictions_tests.standins.live.season import Season

#: The provider in the landing zone of each provider of the stand-in.
PROVIDERS = {
    "stats": "nba_stats",
    "cdn": "nba_cdn",
    "espn": "espn",
    "odds": "odds_api",
    "injury": "injury_report",
}
#: Faults that every service has. They pass, so a second request may succeed.
GENERIC = (
    *("html_200", "empty_200", "truncated", "wrong_gzip", "empty_object"),
    *("error_500", "error_502", "error_503", "too_many_429"),
)
#: Services that every fetch asks.
ASKED = ("stats", "cdn", "odds", "injury")
KINDS = ("logs", "schedule", "lines", "injuries")


def frames(source: LiveSource, day: date = DAY) -> dict[str, pl.DataFrame]:
    """Return all inputs, without the moments at which answers came."""
    found = {
        "logs": source.game_logs(day),
        "schedule": source.schedule(day),
        "lines": source.prop_lines(day),
        "injuries": source.injuries(day),
    }
    return {
        kind: frame.drop([c for c in ("observed_at",) if c in frame.columns])
        for kind, frame in found.items()
    }


def assert_same(one: dict[str, pl.DataFrame], two: dict[str, pl.DataFrame], *kinds: str) -> None:
    for kind in kinds or KINDS:
        assert_frame_equal(one[kind], two[kind], check_row_order=False)


def problem(report: FetchReport, *words: str) -> str:
    """Return the only problem that has some words."""
    found = [text for text in report.problems if all(word in text for word in words)]
    assert len(found) == 1, report.problems
    return found[0]


def season_of_server(league: LiveLeague) -> Season:
    season = league.server.moment.season
    assert season is not None, "the moment is within a season"
    return season


def strike(league: LiveLeague, *faults: Fault) -> None:
    league.server.faults = list(faults)


@pytest.fixture(scope="session")
def undisturbed(
    seeded: Path, seasons: SimulatedSeasons, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pl.DataFrame]:
    """The inputs after a fetch without a fault."""
    folder = tmp_path_factory.mktemp("undisturbed") / "landing"
    with live_league(seeded, seasons, folder) as league:
        assert league.fetch().problems == ()
        found = frames(league.source)
    assert all(frame.height for frame in found.values())
    return found


@pytest.mark.parametrize("fault", GENERIC)
def test_a_fault_that_passes_is_not_noticed(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], fault: str
) -> None:
    strike(league, *(Fault(fault, provider, times=1) for provider in ASKED))
    assert league.fetch().problems == ()
    assert all(found.strikes == 1 for found in league.server.faults)
    assert_same(frames(league.source), undisturbed)


@pytest.mark.parametrize("fault", GENERIC)
def test_if_all_services_fail_the_last_good_answers_are_used(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], fault: str
) -> None:
    strike(league, *(Fault(fault, provider) for provider in (*ASKED, "espn")))
    before = league.good_files()
    report = league.fetch()
    for provider in ASKED:
        assert any(PROVIDERS[provider] in text for text in report.problems), provider
    assert league.good_files() == before
    found = frames(league.source)
    assert found["logs"]["game_date"].max() == YESTERDAY - timedelta(days=1)
    assert_same(found, undisturbed, "schedule")
    assert found["lines"].is_empty()


@pytest.mark.parametrize("provider", ASKED)
def test_one_service_that_fails_takes_nothing_from_the_others(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], provider: str
) -> None:
    strike(league, Fault("error_503", provider))
    report = league.fetch()
    assert any(PROVIDERS[provider] in text for text in report.problems)
    found = frames(league.source)
    untouched = {
        "stats": ("schedule", "lines", "injuries"),
        "cdn": ("logs", "schedule", "lines", "injuries"),
        "odds": ("logs", "schedule", "injuries"),
        "injury": ("logs", "schedule", "lines"),
    }[provider]
    assert_same(found, undisturbed, *untouched)
    # ESPN has the box scores of yesterday, and injuries.
    assert found["logs"]["game_date"].max() == YESTERDAY
    assert found["injuries"].height
    assert (found["lines"].height == 0) == (provider == "odds")


@pytest.mark.parametrize("provider", ASKED)
def test_a_host_that_hangs_is_asked_twice_and_the_fetch_goes_on(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], provider: str
) -> None:
    strike(league, Fault("hang", provider))
    report = league.fetch(timeout_seconds=0.5)
    assert any("not asked again" in text for text in report.problems)
    assert len(league.server.requests_to(provider)) == 2
    assert frames(league.source)["logs"]["game_date"].max() == YESTERDAY


def test_a_service_that_wants_a_pause_gets_it(league: LiveLeague) -> None:
    strike(league, Fault("too_many_429", "odds", times=2, retry_after=7))
    report = league.fetch()
    assert report.problems == ()
    assert league.slept.count(7.0) == 2
    assert sum(league.slept) < 60


def test_the_schedule_is_asked_for_as_a_browser_on_its_site(league: LiveLeague) -> None:
    league.fetch()
    (request,) = league.server.requests_to("cdn")
    assert request.status == 200
    assert request.headers["referer"] == "https://www.nba.com/"
    assert "Mozilla" in request.headers["user-agent"]


# ------------------------------------------------------------------------------ stats.nba.com


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("renamed_headers", {}),
        ("dropped_column", {}),
        ("dropped_column", {"column": "FG3M"}),
        ("renamed_headers", {"columns": {"PLAYER_ID": "ID"}}),
    ],
)
def test_a_missing_column_is_named(league: LiveLeague, fault: str, options: dict[str, Any]) -> None:
    strike(league, Fault(fault, "stats", **options))
    report = league.fetch()
    column = options.get("column") or ("PLAYER_ID" if "columns" in options else "PTS")
    assert "missing" in problem(report, "leaguegamelog 2025-26.regular-season", str(column))
    assert frames(league.source)["logs"]["game_date"].max() == YESTERDAY


def test_a_new_column_is_ignored(league: LiveLeague, undisturbed: dict[str, pl.DataFrame]) -> None:
    strike(league, Fault("extra_column", "stats"))
    assert league.fetch().problems == ()
    assert_same(frames(league.source), undisturbed)


def test_a_season_that_shrank_is_refused_and_the_former_is_kept(league: LiveLeague) -> None:
    before = league.source.game_logs(YESTERDAY)
    strike(league, Fault("season_shrinks", "stats"))
    report = league.fetch()
    assert "the season shrank from" in problem(report, "regular-season")
    assert_frame_equal(league.source.game_logs(YESTERDAY), before)
    assert any("leaguegamelog" in name for name in league.quarantined())


def test_a_missing_box_score_comes_from_espn_and_later_from_the_league(
    league: LiveLeague,
) -> None:
    game = season_of_server(league).by_day[YESTERDAY][0]
    game_id = make_game_id(YESTERDAY, game.away, game.home)
    strike(league, Fault("box_score_missing", "stats", game_id=game.game_id))
    league.fetch()
    first = league.source.box_scores(YESTERDAY).filter(pl.col("game_id") == game_id)
    assert len(league.server.requests_to("espn", "summary")) == 1
    strike(league)
    at(eastern(8))
    league.fetch()
    second = league.source.box_scores(YESTERDAY).filter(pl.col("game_id") == game_id)
    assert second.height >= first.height > 10
    shared = ["player_id", "points", "minutes", "fga"]
    found = second.join(first.select(shared), on=shared, how="semi")
    assert found.height == first.height


def test_a_corrected_score_replaces_the_former(league: LiveLeague) -> None:
    strike(league, Fault("box_score_corrected", "stats"))
    league.fetch()
    wrong = league.source.box_scores(YESTERDAY)
    strike(league)
    at(eastern(8))
    league.fetch()
    right = league.source.box_scores(YESTERDAY)
    changed = wrong.join(right, on=["player_id", "points"], how="anti")
    assert changed.height == 1
    assert wrong.height == right.height


# ------------------------------------------------------------------------------- cdn.nba.com


@pytest.mark.parametrize("fault", ["tbd_teams", "guest_teams", "all_star", "schedule_false_z"])
def test_games_that_do_not_count_change_nothing(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], fault: str
) -> None:
    strike(league, Fault(fault, "cdn"))
    assert league.fetch().problems == ()
    assert_same(frames(league.source), undisturbed)


def test_a_postponed_game_is_off(league: LiveLeague, undisturbed: dict[str, pl.DataFrame]) -> None:
    strike(league, Fault("postponed", "cdn"))
    assert league.fetch().problems == ()
    assert frames(league.source)["schedule"].height == undisturbed["schedule"].height - 1


def test_a_moved_tipoff_replaces_the_former(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame]
) -> None:
    strike(league, Fault("moved_tipoff", "cdn", minutes=90))
    league.fetch()
    found = frames(league.source)["schedule"].join(
        undisturbed["schedule"], on="game_id", suffix="_before"
    )
    moved = found.filter(pl.col("tipoff") != pl.col("tipoff_before"))
    assert moved.height == 1
    assert moved.select(pl.col("tipoff") - pl.col("tipoff_before")).item() == timedelta(minutes=90)


def test_a_schedule_without_the_season_is_refused(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame]
) -> None:
    strike(league, Fault("only_preseason", "cdn"))
    report = league.fetch()
    assert "the schedule shrank" in problem(report, "nba_cdn")
    assert_same(frames(league.source), undisturbed, "logs", "lines", "injuries")
    assert frames(league.source)["schedule"].height == undisturbed["schedule"].height


# ------------------------------------------------------------------------- the injury report


def test_a_report_is_found_behind_six_missing_ones(league: LiveLeague) -> None:
    strike(league, Fault("reports_missing", "injury", slots=6))
    report = league.fetch()
    assert "no injury report in 6 slots" in problem(report, "slots")
    assert frames(league.source)["injuries"].height
    asked = league.server.requests_to("injury")
    assert [request.status for request in asked] == [403] * 6 + [200]


def test_names_of_a_third_kind_are_noticed_and_espn_is_asked(league: LiveLeague) -> None:
    strike(league, Fault("report_third_name", "injury"))
    report = league.fetch()
    assert "no injury report in " in problem(report, "slots")
    assert league.server.requests_to("espn", "injuries")
    assert frames(league.source)["injuries"].height


@pytest.mark.parametrize("fault", ["report_html_200", "report_of_yesterday", "new_status"])
def test_a_report_that_is_none_is_not_read(league: LiveLeague, fault: str) -> None:
    before = league.good_files()
    strike(league, Fault(fault, "injury"))
    report = league.fetch()
    assert any("injury_report" in text for text in report.problems)
    landed = league.good_files() - before
    assert not [name for name in landed if name.startswith("injury_report")]
    if fault == "new_status":
        assert any("Day-To-Day" in text for text in report.problems)
    assert frames(league.source)["injuries"].height


def test_a_reason_over_a_page_break_is_read(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame]
) -> None:
    strike(league, Fault("reason_over_page_break", "injury"))
    assert league.fetch().problems == ()
    found = frames(league.source)["injuries"]
    columns = ["player_lookup", "status", "team"]
    assert_frame_equal(
        found.select(columns), undisturbed["injuries"].select(columns), check_row_order=False
    )


# ------------------------------------------------------------------------------ The Odds API


def test_credits_that_end_within_a_slate_leave_the_answered_games(league: LiveLeague) -> None:
    strike(league, Fault("out_of_credits", "odds", after=3))
    report = league.fetch()
    assert "credits" in problem(report, "OUT_OF_USAGE_CREDITS").lower()
    assert report.credits == 3
    assert frames(league.source)["lines"]["game_id"].n_unique() == 3
    asked = len(league.server.requests_to("odds", "/odds"))
    assert asked == 4
    # No call follows before the first of the month, not even after a restart.
    strike(league)
    at(eastern(18))
    again = league.fetch()
    assert "until the first of the month" in problem(again, "credits")
    assert len(league.server.requests_to("odds", "/odds")) == asked
    at(eastern(7, day=date(2026, 2, 2)))
    assert not any("used up" in text for text in league.fetch(date(2026, 2, 2)).problems)


@pytest.mark.parametrize("fault", ["event_not_found", "invalid_market"])
def test_a_refused_game_is_the_only_one_without_lines(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame], fault: str
) -> None:
    game = season_of_server(league).by_day[DAY][0]
    game_id = make_game_id(DAY, game.away, game.home)
    strike(league, Fault(fault, "odds", game_id=game.game_id))
    report = league.fetch()
    # A game that the service no longer has is over, and no fault.
    assert any(fault.upper() in text for text in report.problems) == (fault == "invalid_market")
    found = frames(league.source)["lines"]
    assert_frame_equal(
        found, undisturbed["lines"].filter(pl.col("game_id") != game_id), check_row_order=False
    )


def test_prices_of_a_game_that_runs_are_no_lines(league: LiveLeague) -> None:
    strike(league, Fault("in_play_prices", "odds"))
    league.fetch()
    assert frames(league.source)["lines"].is_empty()


def test_a_start_that_moves_a_little_changes_no_line(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame]
) -> None:
    strike(league, Fault("moved_commence_time", "odds"))
    assert league.fetch().problems == ()
    assert_same(frames(league.source), undisturbed)


def test_more_lines_and_books_add_quotes(
    league: LiveLeague, undisturbed: dict[str, pl.DataFrame]
) -> None:
    strike(league, Fault("unknown_book", "odds"))
    assert league.fetch().problems == ()
    found = frames(league.source)["lines"]
    assert set(found["book"]) - set(undisturbed["lines"]["book"]) == {"brandnewbook"}


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("eight_lines", lambda lines, before: lines.height > before.height),
        ("one_sided", lambda lines, before: set(lines["side"].str.to_lowercase()) == {"over"}),
        ("integer_line", lambda lines, before: (lines["line"].cast(float) % 1 == 0).all()),
        ("unknown_player", lambda lines, before: "nobodyknownn" in set(lines["player_lookup"])),
    ],
)
def test_unusual_quotes_are_read_as_they_are(
    league: LiveLeague,
    undisturbed: dict[str, pl.DataFrame],
    fault: str,
    check: Callable[[pl.DataFrame, pl.DataFrame], bool],
) -> None:
    strike(league, Fault(fault, "odds"))
    assert league.fetch().problems == ()
    assert check(frames(league.source)["lines"], undisturbed["lines"])


def test_every_fault_of_the_stand_in_is_tested() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
