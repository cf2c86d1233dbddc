"""Nights with live sources: fetched over HTTP from a stand-in, with faults, costs and a budget."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.cli.fetching import seed_history
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.betting.slate import Game
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.nightly import leases
from nba_predictions.orchestration.conditions.checks import failed_checks
from nba_predictions.orchestration.run_tags import AS_OF_TAG
from nba_predictions.orchestration.sensors import gate_retry
from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.e2e.pipeline import BOOKKEEPING
from nba_predictions_tests.live import DAY, SEASON, Fault, Live, eastern
from nba_predictions_tests.standins.live import LiveStandIn
from nba_predictions_tests.standins.live.season import Game as StandInGame
from nba_predictions_tests.standins.live.season import Listed, Season, plain
from nba_predictions_tests.waiting import CEILING_SECONDS

NEXT_DAY = DAY + timedelta(days=1)
DATE = ("--game-date", DAY.isoformat())
RESULTS = "prediction_results"


def season_of(standin: LiveStandIn) -> Season:
    season = standin.seasons.season(SEASON)
    assert season is not None
    return season


def game_of(standin: LiveStandIn, game: Game) -> StandInGame:
    """Return the game of the stand-in with the teams of a game."""
    return next(
        g
        for g in season_of(standin).by_day[game.game_date]
        if (g.away, g.home) == (game.away_team, game.home_team)
    )


def teams(game: Game) -> str:
    return f"{game.away_team}_{game.home_team}"


def without_lines(standin: LiveStandIn, game: Game) -> None:
    """Let no book quote a game."""
    quotes = season_of(standin).quotes
    assert isinstance(quotes, dict)
    quotes[game_of(standin, game).game_id] = []


def facts(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop(BOOKKEEPING)


def last_problems(live: Live) -> str:
    """Return what the check `services_answer` of the newest run that fetched says."""
    for run in reversed(live.runs()):
        found = live.checks("services_answer", run.run_id)
        if found:
            return "" if found[-1].passed else str(found[-1].description)
    raise AssertionError("no run has fetched")


# --- a whole night


def test_a_night_over_http_says_where_its_inputs_come_from(
    predicted: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    table = predicted.table()
    games = predicted.games()
    assert set(table["game_id"]) == {game.game_id for game in games}
    assert len(games) == 6
    with predicted.pipeline() as pipeline:
        assert pipeline.audit(DAY).verdict is Verdict.COMPLETE

    found = predicted.metadata("fetched_inputs")
    assert found["credits"] == 6
    assert found["credits_left_today"] == 26
    assert found["requests"] == 8
    answers = found["answers"]
    for text in ("injury_report", "odds_api", "| new", "source_time", "cost", "07_00"):
        assert text in answers, answers
    assert re.fullmatch(
        r"new: injuries of injury_report \(07:00 ET\), "
        r"points_lines of odds_api \(6 answers, 0[67]:\d\d ET\)",
        found["news"],
    )
    lines = predicted.metadata("prop_lines")
    assert f"odds_api/odds/{DAY}." in lines["files"]
    assert "source time" in lines["files"]

    capsys.readouterr()
    assert cli.main(["slate", "--json", *DATE]) == 0
    slate = json.loads(capsys.readouterr().out)
    paths = {each["path"].split("/")[0] for each in slate["inputs"]}
    assert paths == {"nba_stats", "nba_cdn", "odds_api", "injury_report"}
    assert all((predicted.landing / each["path"]).is_file() for each in slate["inputs"])
    assert cli.main(["report", *DATE]) == 0
    printed = capsys.readouterr().out
    assert "odds_api/odds" in re.sub(r"\s", "", printed)


# --- waiting for lines


def test_a_waiting_night_asks_only_for_the_games_that_still_have_no_lines(
    live: Live, standin: LiveStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock jumps, and the clock of the machine, which ends runs, does not.
    monkeypatch.setattr(gate_retry, "RETRY_INTERVAL", timedelta())
    games = live.games()
    late = [games[0], games[5]]
    quotes = dict(season_of(standin).quotes)
    for game in late:
        without_lines(standin, game)
    live.at(7)
    assert live.tick() == 1
    (gate,) = live.checks("every_game_has_lines")
    assert not gate.passed
    assert all(f"{g.away_team} @ {g.home_team}" in str(gate.description) for g in late)
    assert standin.credits_used == 4

    # The first retry finds nothing new, and costs nothing.
    sent = len(standin.requests)
    live.at(7, 15)
    assert live.tick("predict_waiting_nights") == 1
    assert Counter(live.asked_for_lines(sent)) == Counter(map(teams, late))
    assert standin.credits_used == 4

    season_of(standin).quotes.update(quotes)  # type: ignore[attr-defined]
    sent = len(standin.requests)
    live.at(7, 30)
    assert live.tick("predict_waiting_nights") == 1
    assert Counter(live.asked_for_lines(sent)) == Counter(map(teams, late))
    assert standin.credits_used == 6
    assert live.publish()
    with live.pipeline() as pipeline:
        assert pipeline.audit(DAY).verdict is Verdict.COMPLETE
    assert live.tick("predict_waiting_nights", "follow_live_day") == 0


def test_credits_that_end_in_the_middle_of_a_slate_leave_the_answered_games(
    live: Live, standin: LiveStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_retry, "RETRY_INTERVAL", timedelta())
    standin.faults = [Fault("out_of_credits", "odds", after=3)]
    live.at(7)
    assert live.tick() == 1
    asked = live.asked_for_lines()
    assert len(asked) == 4
    answered, refused = asked[:3], asked[3]
    games = live.games()
    missing = [game for game in games if teams(game) not in answered]
    assert refused in map(teams, missing)
    (gate,) = live.checks("every_game_has_lines")
    assert not gate.passed
    named = re.findall(r"(\w{3}) @ (\w{3})", str(gate.description))
    assert {"_".join(pair) for pair in named} == set(map(teams, missing))
    assert "OUT_OF_USAGE_CREDITS" in last_problems(live)

    # Until the first of the month, no run sends a paid request.
    sent = len(standin.requests)
    for minute in (15, 30):
        live.at(7, minute)
        assert live.tick("predict_waiting_nights") == 1
        assert "until the first of the month" in last_problems(live)
    live.at(18, 20)
    assert live.tick() == 1
    assert not [r for r in standin.requests[sent:] if r.provider == "odds"]
    assert standin.credits_used == 3
    # One condition is one alert, however often it is found.
    with live.pipeline() as pipeline:
        keys = list(pipeline.repository.asset_graph.asset_check_keys)
        found = failed_checks(pipeline.instance, keys, eastern(19))
    assert sum("services_answer" in condition.title for condition in found) == 1


# --- services that do not answer


def test_a_host_that_hangs_does_not_hold_up_the_night(live: Live, standin: LiveStandIn) -> None:
    live = replace(live, variables={"NBA_PREDICTIONS_REQUEST_TIMEOUT_SECONDS": "1.5"})
    assert season_of(standin), "it is made before a request waits for it"
    standin.faults = [Fault("hang", "stats")]
    live.at(8)
    began = time.monotonic()
    assert live.tick() == 1
    assert time.monotonic() - began < 60
    assert "nba_stats does not answer" in last_problems(live)
    # Two hangs, and no more requests to the host in this run.
    assert [r.path for r in standin.requests_to("stats")] == ["leaguegamelog"] * 2
    assert live.table().height > 0
    assert live.publish()

    # The box scores of the night come from ESPN.
    live.at(6, 5, NEXT_DAY)
    assert live.tick() == 1
    assert len(standin.requests_to("espn", "summary")) == 6
    assert live.table(RESULTS)["outcome"].value_counts().height > 1
    with live.pipeline() as pipeline:
        assert pipeline.league.box_scores(DAY)["game_id"].n_unique() == 6
    live.at(6, 20, NEXT_DAY)
    assert live.tick() == 0, "every game has a box score"


@pytest.mark.parametrize("fault", ["error_500", "html_200", "empty_200", "empty_object"])
def test_services_that_answer_nonsense_are_outlived(
    live: Live, standin: LiveStandIn, fault: str
) -> None:
    # The lines are needed. All other services fail.
    standin.faults = [Fault(fault, name) for name in ("stats", "cdn", "espn", "injury")]
    live.at(8)
    with live.pipeline() as pipeline:
        report = pipeline._resources["fetcher"].fetch_inputs(DAY, run_id="test")
    assert report.credits == 6
    assert len(report.problems) >= 4
    assert live.games()
    assert not any("standin-key" in str(answer) for answer in report.answers)


# --- a night is repeated


def test_a_night_is_repeated_in_a_new_home_that_shares_only_the_landing_zone(
    predicted: Live, standin: LiveStandIn, tmp_path: Path
) -> None:
    before = predicted.table()
    with predicted.pipeline() as pipeline:
        (batch,) = pipeline.batches.of_date(DAY)
    assert batch.as_of is not None
    # Later answers are landed: moved lines, a new report, and the results of the night.
    for hour, day in ((18, DAY), (6, NEXT_DAY)):
        predicted.at(hour, 30, day)
        with predicted.pipeline() as pipeline:
            fetcher = pipeline._resources["fetcher"]
            fetcher.fetch_inputs(DAY, run_id="test", lines_max_age=timedelta())
            fetcher.fetch_results(DAY, run_id="test")
    assert standin.credits_used == 6
    other = Live(
        tmp_path / "other", standin, {"NBA_PREDICTIONS_LANDING": str(predicted.home / "landing")}
    )
    sent = len(standin.requests)
    assert other.run(tags={AS_OF_TAG: batch.as_of.isoformat()})
    assert len(standin.requests) == sent, "a run that repeats a moment sends no request"
    assert facts(other.table()).equals(facts(before))
    assert other.metadata("fetched_inputs")["requests"] == 0
    # The later answers change a run of a later moment, so the comparison can fail.
    later = eastern(18, 45).isoformat()
    third = replace(other, home=tmp_path / "third")
    assert third.run(tags={AS_OF_TAG: later})
    assert not facts(third.table()).equals(facts(before))
    assert len(standin.requests) == sent


# --- refreshes


def test_a_refresh_before_a_wave_changes_only_what_changed(
    predicted: Live, standin: LiveStandIn
) -> None:
    before = predicted.table()
    games = predicted.games()
    first, last = games[0], games[5]
    out = before.filter(pl.col("game_id") == first.game_id).row(0, named=True)
    names = {plain(name): name for name in season_of(standin).logs["PLAYER_NAME"].unique()}
    name = next(p for p in names if p.replace(" ", "").lower() == out["player_lookup"])
    listed: Any = season_of(standin).listed
    for team in (first.away_team, first.home_team):
        row = season_of(standin).logs.filter(pl.col("PLAYER_NAME") == names[name])
        if team in set(row["TEAM_ABBREVIATION"]):
            player = Listed(name, team, "QUESTIONABLE", "Injury/Illness - N/A; Illness", False)
            listed[DAY, team] = [*listed.get((DAY, team), []), player]

    predicted.at(18, 15)
    assert predicted.tick() == 1
    after = predicted.table()
    assert out["player_lookup"] not in set(after["player_lookup"])
    updated_at = pl.col("updated_at").dt.convert_time_zone("UTC")
    written = after.filter(updated_at > eastern(18, 14).astimezone(timezone.utc))
    moved = lines_of(before) ^ lines_of(after)
    moved_players = {player for player, _ in moved} - {out["player_lookup"]}
    assert moved_players
    assert moved_players <= set(written["player_lookup"])
    untouched = pl.col("player_lookup").is_in(written["player_lookup"].unique().to_list())
    assert after.filter(~untouched).equals(
        before.filter(~untouched & (pl.col("player_lookup") != out["player_lookup"]))
    )
    assert after.filter(~untouched)["player_lookup"].n_unique() > 10

    # At 19:45, the first four games have begun: nothing of them changes any more.
    predicted.at(19, 45)
    assert predicted.tick() == 1
    end = predicted.table()
    begun = pl.col("game_id").is_in([game.game_id for game in games[:4]])
    assert end.filter(begun).equals(after.filter(begun))
    assert not end.filter(~begun).equals(after.filter(~begun))
    assert last.game_id in set(end["game_id"])


def lines_of(table: pl.DataFrame) -> set[tuple[str, Any]]:
    return set(table.select("player_lookup", "points_line").unique().rows())


# --- days without games


@pytest.mark.parametrize(
    "day",
    [
        pytest.param(date(2026, 10, 1), id="before the season"),
        pytest.param(date(2026, 11, 26), id="Thanksgiving"),
        pytest.param(date(2026, 2, 14), id="All-Star break"),
    ],
)
def test_a_day_without_games_ends_without_data_and_without_alerts(
    standin: LiveStandIn, tmp_path: Path, day: date
) -> None:
    live = Live(tmp_path / "home", standin)
    live.at(6, 30, day)
    assert seed_history(live.settings, 2, injuries=False) == 0
    live.at(7, 0, day)
    assert live.tick() == 1
    assert live.publish(day)
    (night, *others) = live.runs()
    assert [run.status for run in (night, *others)] == [dg.DagsterRunStatus.SUCCESS] * (
        1 + len(others)
    )
    with live.pipeline() as pipeline:
        assert pipeline.audit(day).verdict is Verdict.COMPLETE
        keys = list(pipeline.repository.asset_graph.asset_check_keys)
        found = failed_checks(pipeline.instance, keys, eastern(19, 0, day))
        # Before the season, no schedule lists games of the days before.
        assert all("no_game_is_missing" in condition.key for condition in found)
        assert len(found) == (day.month == 10)
    assert not standin.requests_to("injury")
    assert standin.credits_used == 0
    sent = len(standin.requests)
    for hour, minute in ((12, 30), (16, 30), (18, 15), (23, 0)):
        live.at(hour, minute, day)
        assert live.tick("follow_live_day", "predict_waiting_nights") == 0
    live.at(6, 30, day + timedelta(days=1))
    assert live.tick() == 0
    assert len(standin.requests) == sent


# --- a whole day within its budget


def live_through(live: Live, times: Sequence[tuple[int, int]]) -> None:
    for hour, minute in times:
        live.at(hour, minute)
        live.tick()
        live.publish()


def spent(live: Live) -> int:
    zone = LandingZone(live.landing)
    return zone.spent("odds_api", eastern(0), eastern(0, 0, NEXT_DAY))


WAVES = ((12, 30), (16, 30), (18, 15), (18, 45), (19, 45))


def test_a_whole_day_costs_two_credits_a_game_and_few_requests(
    predicted: Live, standin: LiveStandIn
) -> None:
    live_through(predicted, WAVES)
    predicted.at(6, 0, NEXT_DAY)
    assert predicted.tick() == 1
    predicted.at(6, 1, NEXT_DAY)
    assert predicted.tick() == 0
    assert spent(predicted) == 2 * 6
    assert standin.credits_used == 6
    counts = Counter(request.provider for request in standin.requests)
    asked = Counter(predicted.asked_for_lines())
    assert set(asked.values()) == {1}
    sys.stdout.write(f"REQUESTS after the first prediction: {dict(counts)}\n")
    # Each of five refreshes asks for a report and the list of events, and for what is old.
    assert counts["injury"] == 5
    assert counts["stats"] <= 6
    assert counts["cdn"] <= 6
    assert counts["odds"] == 5 + 6
    assert counts["espn"] == 0
    with predicted.pipeline() as pipeline:
        assert pipeline.audit(DAY).verdict is Verdict.COMPLETE
    assert predicted.table(RESULTS).height == predicted.table().height


@pytest.mark.parametrize(("polls", "limit"), [(2, 9), (8, 20)])
def test_no_day_costs_more_than_its_limit(
    predicted: Live, standin: LiveStandIn, polls: int, limit: int
) -> None:
    live = replace(
        predicted,
        variables={
            "NBA_PREDICTIONS_ODDS_POLLS": str(polls),
            "NBA_PREDICTIONS_ODDS_CREDITS_PER_DAY": str(limit),
        },
    )
    for hour, minute in ((10, 0), (12, 30), (16, 30), (18, 15), (18, 45), (19, 45), (20, 25)):
        now = live.at(hour, minute)
        with live.pipeline() as pipeline:
            fetcher = pipeline._resources["fetcher"]
            due = [g.game_id for g in live.games() if g.tipoff and g.tipoff > now]
            report = fetcher.fetch_inputs(
                DAY, run_id="test", lines_of=due, lines_max_age=timedelta(minutes=2)
            )
    assert spent(live) == limit
    assert standin.credits_used == limit - 6
    assert any("no credits are left for the lines of" in text for text in report.problems)


# --- the command line


def command(live: Live, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nba_predictions.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment(live, **variables),
        timeout=CEILING_SECONDS,
        check=False,
    )


def environment(live: Live, **variables: str) -> dict[str, str]:
    import os

    return {**os.environ, **live.environment, **variables}


def test_fetch_check_asks_each_service_once_and_shows_what_came(
    live: Live, standin: LiveStandIn
) -> None:
    sent = len(standin.requests)
    done = command(live, "fetch", "--check", *DATE)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("nba_stats", "nba_cdn", "espn", "odds_api", "injury_report"):
        assert text in done.stdout
    assert re.fullmatch(
        r"FETCH 2026-11-10 requests=\d+ credits=1 credits_left_today=31 "
        r"credits_left_this_month=499 problems=0",
        done.stdout.splitlines()[-1],
    )
    assert {r.provider for r in standin.requests[sent:]} == {
        *("stats", "cdn", "espn", "odds", "injury")
    }
    assert len(live.asked_for_lines(sent)) == 1


def test_fetch_json_is_json_alone(live: Live) -> None:
    done = command(live, "fetch", "--json", *DATE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["credits"] == 6
    assert {answer["kind"] for answer in report["answers"]} >= {"points_lines", "injuries"}
    assert "standin-key" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"NBA_PREDICTIONS_ODDS_API_KEY": ""}, "NBA_PREDICTIONS_ODDS_API_KEY is not set"),
        ({"NBA_PREDICTIONS_ODDS_API_KEY": "another-key"}, "NBA_PREDICTIONS_ODDS_API_KEY"),
    ],
)
def test_fetch_without_a_good_key_names_the_setting(
    live: Live, standin: LiveStandIn, variables: dict[str, str], problem: str
) -> None:
    done = command(live, "fetch", *DATE, **variables)
    assert done.returncode == 1
    (said,) = (line for line in done.stdout.splitlines() if line.startswith("problem: "))
    assert problem in said
    assert "another-key" not in done.stdout + done.stderr
    # A key that is refused is not tried again for each game.
    assert len(standin.requests_to("odds")) <= 1


def test_seed_fetches_what_is_missing_and_can_be_repeated(
    standin: LiveStandIn, tmp_path: Path
) -> None:
    live = Live(tmp_path / "new", standin)
    live.at(6, 55)
    done = command(live, "seed", "--seasons", "2", "--no-injuries")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(
        r"SEED seasons=2 requests=7 credits=0 .* problems=0", done.stdout.splitlines()[-1]
    )
    again = command(live, "seed", "--seasons", "2", "--no-injuries")
    assert again.returncode == 0
    assert "2025-26 regular-season: there already" in again.stdout
    assert re.search(r"SEED seasons=2 requests=0 ", again.stdout)


@pytest.mark.parametrize("arguments", [("fetch", "--check"), ("seed",)])
def test_other_sources_have_nothing_to_ask(
    live: Live, standin: LiveStandIn, arguments: tuple[str, ...]
) -> None:
    done = command(live, *arguments, NBA_PREDICTIONS_SOURCE="simulated")
    assert done.returncode == 2
    assert "set NBA_PREDICTIONS_SOURCE=live" in done.stderr
    assert not standin.requests


# --- two fetches at once


def test_two_fetches_at_once_ask_once(live: Live, standin: LiveStandIn) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "nba_predictions.cli", "fetch", *DATE],
            cwd=REPOSITORY,
            env=environment(live),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=CEILING_SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    assert Counter(live.asked_for_lines()) == dict.fromkeys(map(teams, live.games()), 1)
    assert standin.credits_used == 6
    twice = {path: n for path, n in Counter(r.path for r in standin.requests).items() if n > 1}
    assert not twice


def test_a_run_yields_to_a_fetch_that_does_not_end(
    live: Live, standin: LiveStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "FETCH_WAIT_SECONDS", 0.5)
    live.at(7)
    with live.pipeline() as pipeline, leases.fetch_lease(pipeline.batches, run_id="another"):
        assert pipeline.execute("fetch_inputs", DAY)
    assert "another process is still fetching" in last_problems(live)
    assert not standin.requests
