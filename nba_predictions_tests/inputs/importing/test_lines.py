"""Lines: The Odds API, PrizePicks, Underdog and tables."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.importing.lines import market_name
from nba_predictions.inputs.importing.odds_api import american_price
from nba_predictions.inputs.importing.values import Node
from nba_predictions_tests.inputs.importing.payloads import (
    dicts_of,
    imported,
    league_game_log,
    league_schedule,
    line_table,
    odds_event,
    prizepicks,
    projection,
    rows_of,
    underdog,
)

TIPOFF = datetime(2025, 1, 11, 0, 30, tzinfo=timezone.utc)
DAY = date(2025, 1, 10)


def quotes(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.get(column) for column in columns) for row in rows]


def with_prices(*prices: float) -> dict[str, Any]:
    event = odds_event()
    markets = event["bookmakers"][0]["markets"]
    for outcome, price in zip(markets[0]["outcomes"], prices, strict=True):
        outcome["price"] = price
    event["bookmakers"][0]["markets"] = markets[:1]
    return event


def test_odds_keep_all_markets_of_players_and_the_moment_of_each_quote(tmp_path: Path) -> None:
    outcome = imported(tmp_path, event=odds_event())["event"]
    rows = dicts_of(outcome)
    assert quotes(rows, "market", "side", "line", "price") == [
        ("player_points", "Over", 24.5, -115),
        ("player_points", "Under", 24.5, -105),
        ("player_rebounds", "Over", 24.5, -115),
        ("player_rebounds", "Under", 24.5, -105),
    ]
    observed_at = datetime(2025, 1, 10, 16, 31, 29, tzinfo=timezone.utc)
    assert {(r["observed_at"], r["commence_time"], r["bookmaker"]) for r in rows} == {
        (observed_at, TIPOFF, "draftkings")
    }
    assert outcome.dropped == {"not_of_a_player": 1}


@pytest.mark.parametrize(
    "answer",
    [
        [odds_event()],
        {"timestamp": "2025-01-10T16:35:00Z", "data": odds_event()},
        {"timestamp": "2025-01-10T16:35:00Z", "data": [odds_event()]},
        [{"timestamp": "2025-01-10T16:35:00Z", "data": odds_event()}],
    ],
    ids=["list", "snapshot", "snapshot_of_list", "list_of_snapshots"],
)
def test_all_forms_of_odds_give_equal_rows(tmp_path: Path, answer: Any) -> None:
    outcomes = imported(tmp_path, event=odds_event(), answer=answer)
    assert rows_of(outcomes["answer"]).equals(rows_of(outcomes["event"]))
    assert outcomes["answer"].output == outcomes["event"].output


def test_a_quote_without_an_update_has_the_moment_of_its_snapshot(tmp_path: Path) -> None:
    event = odds_event()
    del event["bookmakers"][0]["markets"][0]["last_update"]
    answer = {"timestamp": "2025-01-10T16:35:00Z", "data": event}
    rows = dicts_of(imported(tmp_path, answer=answer)["answer"])
    assert rows[0]["observed_at"] == datetime(2025, 1, 10, 16, 35, tzinfo=timezone.utc)


def test_odds_may_have_unix_times(tmp_path: Path) -> None:
    event = odds_event() | {"commence_time": 1736555400}
    assert dicts_of(imported(tmp_path, event=event)["event"])[0]["commence_time"] == TIPOFF


def test_decimal_prices_become_american_ones(tmp_path: Path) -> None:
    outcome = imported(tmp_path, event=with_prices(1.91, 2.5))["event"]
    assert quotes(dicts_of(outcome), "price") == [(-110,), (150,)]
    assert outcome.notes == ["decimal prices converted to American"]
    # The other prices show that a high one is decimal.
    long_shot = imported(tmp_path, event=with_prices(1.005, 101))["event"]
    assert quotes(dicts_of(long_shot), "price") == [(-20000,), (10000,)]


def test_prices_of_an_unclear_format_are_refused(tmp_path: Path) -> None:
    error = imported(tmp_path, event=with_prices(1.91, -110))["event"].error
    assert "1.91 can only be decimal, and -110 can only be American" in error
    assert "oddsFormat=american" in error


def test_american_prices_and_suspended_ones_stay(tmp_path: Path) -> None:
    rows = dicts_of(imported(tmp_path, event=with_prices(0, 105))["event"])
    assert quotes(rows, "price") == [(0,), (105,)]


@given(st.one_of(st.integers(100, 9999), st.integers(-9999, -101)))
def test_the_decimal_form_of_an_american_price_is_converted_back(american: int) -> None:
    gain = Decimal(american) / 100 if american > 0 else Decimal(100) / -american
    assert american_price(Node("price", float(1 + gain))) == american


def test_events_without_odds_say_what_to_fetch(tmp_path: Path) -> None:
    event = odds_event()
    del event["bookmakers"]
    assert "lists events without odds" in imported(tmp_path, events=[event])["events"].error


def test_an_event_that_no_book_quotes_is_an_answer(tmp_path: Path) -> None:
    outcome = imported(tmp_path, event=odds_event() | {"bookmakers": []})["event"]
    assert (outcome.error, outcome.rows) == ("", 0)


def test_events_of_another_sport_are_dropped(tmp_path: Path) -> None:
    other = odds_event() | {"sport_key": "basketball_nba_preseason"}
    outcome = imported(tmp_path, events=[odds_event(), other])["events"]
    assert (outcome.rows, outcome.dropped["other_sport"]) == (4, 1)


def test_demons_and_goblins_can_only_be_taken_over(tmp_path: Path) -> None:
    document = prizepicks(
        projection(1),
        projection(2, line_score=29.5, odds_type="demon"),
        projection(3, line_score=19.5, odds_type="goblin"),
        projection(4, stat_type="Pts+Rebs+Asts", line_score=35.5),
    )
    rows = dicts_of(imported(tmp_path, board=document)["board"])
    assert quotes(rows, "market", "line", "line_kind", "side", "price") == [
        ("player_points", 24.5, "standard", "Over", None),
        ("player_points", 24.5, "standard", "Under", None),
        ("player_points", 29.5, "demon", "Over", None),
        ("player_points", 19.5, "goblin", "Over", None),
        ("player_points_rebounds_assists", 35.5, "standard", "Over", None),
        ("player_points_rebounds_assists", 35.5, "standard", "Under", None),
    ]
    assert {(r["player"], r["team"], r["bookmaker"], r["commence_time"]) for r in rows} == {
        ("Arlo Lalson Jr.", "LAL", "PrizePicks", TIPOFF)
    }
    moment = datetime(2025, 1, 10, 16, 2, 11, tzinfo=timezone.utc)
    assert {row["observed_at"] for row in rows} == {moment}


def test_projections_of_games_in_play_and_other_leagues_are_dropped(tmp_path: Path) -> None:
    half = projection(3)
    half["relationships"]["league"]["data"]["id"] = "84"
    document = prizepicks(
        projection(1), projection(2, status="in_progress"), half, projection(4, is_live=True)
    )
    outcome = imported(tmp_path, board=document)["board"]
    assert outcome.rows == 2
    assert outcome.dropped == {"in_play": 2, "other_league": 1}


def test_the_home_team_comes_from_the_schedule_of_the_call(tmp_path: Path) -> None:
    alone = dicts_of(imported(tmp_path, board=prizepicks())["board"])
    # Without a schedule, the later one in the alphabet is at home.
    assert {(row["away_team"], row["home_team"]) for row in alone} == {("BOS", "LAL")}
    outcomes = imported(tmp_path, board=prizepicks(), schedule=league_schedule())
    rows = dicts_of(outcomes["board"])
    assert {(row["away_team"], row["home_team"]) for row in rows} == {("LAL", "BOS")}


def test_a_projection_without_an_opponent_takes_it_from_the_schedule(tmp_path: Path) -> None:
    document = prizepicks(projection(description=""))
    error = imported(tmp_path, board=document)["board"].error
    assert "the opponent of LAL on 2025-01-10 is missing" in error
    outcomes = imported(tmp_path, board=document, schedule=league_schedule())
    assert outcomes["board"].rows == 2


def test_underdog_keeps_prices_and_the_kinds_of_lines(tmp_path: Path) -> None:
    rows = dicts_of(imported(tmp_path, board=underdog())["board"])
    assert quotes(rows, "line", "line_kind", "side", "price") == [
        (24.5, "standard", "Over", -120),
        (24.5, "standard", "Under", -105),
        (29.5, "alternate", "Over", 140),
    ]
    assert {(r["player"], r["team"], r["away_team"], r["home_team"]) for r in rows} == {
        ("Arlo Lalson Jr.", "LAL", "LAL", "BOS")
    }
    assert {(r["bookmaker"], r["commence_time"]) for r in rows} == {("Underdog", TIPOFF)}


def test_underdog_lines_in_play_suspended_or_of_other_leagues_are_dropped(tmp_path: Path) -> None:
    document = underdog()
    document["over_under_lines"][0]["live_event"] = True
    document["over_under_lines"][1]["status"] = "suspended"
    outcome = imported(tmp_path, board=document)["board"]
    assert (outcome.rows, outcome.dropped) == (0, {"in_play": 1, "suspended": 1})
    other = underdog()
    other["players"][0]["sport_id"] = "WNBA"
    assert imported(tmp_path, board=other)["board"].dropped == {"other_league": 2}


def test_a_table_of_projections_names_its_operator_by_its_kinds(tmp_path: Path) -> None:
    rows = dicts_of(imported(tmp_path, board=line_table())["board"])
    assert quotes(rows, "line", "line_kind", "side") == [
        (24.5, "standard", "Over"),
        (24.5, "standard", "Under"),
        (29.5, "demon", "Over"),
        (19.5, "goblin", "Over"),
    ]
    decorated = line_table().replace("demon", "Demon (x1.5)")
    assert dicts_of(imported(tmp_path, board=decorated)["board"]) == rows
    assert {(r["bookmaker"], r["home_team"], r["away_team"]) for r in rows} == {
        ("PrizePicks", "BOS", "LAL")
    }


def test_a_table_without_an_operator_is_refused(tmp_path: Path) -> None:
    table = line_table().replace("demon", "standard").replace("Goblin", "standard")
    assert "add a column `bookmaker`" in imported(tmp_path, board=table)["board"].error
    assert imported(tmp_path, sleeper_lines=table)["sleeper_lines"].rows == 6


def test_a_table_may_have_sides_prices_and_only_a_date(tmp_path: Path) -> None:
    table = (
        "name,prop,projection,side,odds,book,date,team,opp\n"
        "Arlo Lalson Jr.,points,24.5,over,-115,FanDuel,2025-01-10,Los Angeles Lakers,bos\n"
        "Arlo Lalson Jr.,points,24.5,u,+105,FanDuel,2025-01-10,Los Angeles Lakers,bos\n"
    )
    rows = dicts_of(imported(tmp_path, table=table)["table"])
    assert quotes(rows, "side", "price", "snap", "commence_time") == [
        ("Over", -115, DAY, None),
        ("Under", 105, DAY, None),
    ]


@pytest.mark.parametrize(
    "start",
    [
        *("2025-01-10T19:30:00-05:00", "2025-01-10 19:30 ET", "2025-01-10 7:30 PM EST"),
        *("2025-01-11T00:30Z", "2025-01-11 00:30:00.000+0000"),
    ],
)
def test_a_start_may_have_an_offset_or_be_in_us_eastern_time(tmp_path: Path, start: str) -> None:
    table = line_table().replace("2025-01-11T00:30:00Z", start)
    rows = dicts_of(imported(tmp_path, board=table)["board"])
    assert {row["commence_time"] for row in rows} == {TIPOFF}


def test_a_start_without_a_time_zone_is_ambiguous(tmp_path: Path) -> None:
    table = line_table().replace("00:30:00Z", "00:30:00")
    error = imported(tmp_path, board=table)["board"].error
    assert "column Start Time: '2025-01-11T00:30:00' is not a" in error


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Points", "player_points"),
        ("PTS", "player_points"),
        ("3-PT Made", "player_threes"),
        ("Points (1st Half)", "player_points_1st_half"),
        ("1H Points", "player_1h_points"),
        ("period_1_points", "player_period_1_points"),
        ("player_points_alternate", "player_points_alternate"),
    ],
)
def test_only_the_whole_game_has_the_name_of_a_market(label: str, name: str) -> None:
    assert market_name(label) == name


@pytest.mark.parametrize("document", [odds_event(), prizepicks(), underdog(), line_table()])
def test_the_source_reads_the_lines(tmp_path: Path, document: Any) -> None:
    imported(tmp_path, lines=document, schedule=league_schedule(), logs=league_game_log())
    lines = FilesSource(tmp_path / "league").prop_lines(DAY)
    points = lines.filter(market="points", line=Decimal("24.5"))
    assert points["side"].to_list() == ["Over", "Under"]
    assert set(points["player_lookup"]) == {"arlolalsonjr"}
    assert set(points["home_team"]) == {"BOS"}
