"""The findings of the gates on good and bad inputs, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.betting.slate import Game, Slate, SlatePlayer
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.policies import input_gates
from nba_predictions.domain.policies.input_gates import (
    GATES,
    Finding,
    GateThresholds,
    Level,
    Outcome,
)
from nba_predictions_tests.examples import slate_player, with_line

DAY = date(2026, 1, 15)
TEAMS = ("ATL", "BOS", "BKN", "CHA", "CHI", "CLE")
THRESHOLDS = GateThresholds()


def games_of(count: int, day: date = DAY) -> tuple[Game, ...]:
    pairs = [(TEAMS[2 * n], TEAMS[2 * n + 1]) for n in range(count)]
    return tuple(Game(make_game_id(day, away, home), day, away, home) for away, home in pairs)


def player(game: Game, team: str | None, number: int, line: bool) -> SlatePlayer:
    return SlatePlayer(
        game_date=DAY,
        game_id=game.game_id,
        player_lookup=f"{team}{number}",
        player_name=f"{team} {number}",
        team=team,
        opponent=None,
        is_home=None,
        markets=slate_player(base="20.5" if line else None).markets,
    )


def slate(games: int = 3, per_team: int = 8, with_line: int = 4) -> Slate:
    """A slate on which `with_line` of each team's players have a line."""
    on = games_of(games)
    return Slate(
        DAY,
        on,
        tuple(
            player(game, team, n, n < with_line)
            for game in on
            for team in (game.away_team, game.home_team)
            for n in range(per_team)
        ),
        (),
    )


def without_lines_of(whole: Slate, games: int) -> Slate:
    """The same slate before the books have quoted its last games."""
    unquoted = {game.game_id for game in whole.games[len(whole.games) - games :]}
    return replace(
        whole,
        players=tuple(with_line(p, None) if p.game_id in unquoted else p for p in whole.players),
    )


# ------------------------------------------------------------------------------ each gate


def test_a_slate_with_players_and_lines_in_every_game_passes() -> None:
    good = slate()
    assert input_gates.every_game_has_players(good).level is Level.GOOD
    assert input_gates.every_game_has_lines(good, THRESHOLDS).level is Level.GOOD
    assert input_gates.enough_players_have_lines(good, THRESHOLDS).level is Level.GOOD
    assert input_gates.lines_are_of_the_games(good, 48).level is Level.GOOD


def test_lines_of_one_game_of_three_are_below_the_threshold() -> None:
    finding = input_gates.every_game_has_lines(without_lines_of(slate(), 2), THRESHOLDS)
    assert finding.level is Level.BELOW
    assert finding.numbers["games_without_lines"] == [g.game_id for g in games_of(3)[1:]]
    assert "2 of 3 games" in finding.sentence


def test_lines_for_11_of_104_players_are_too_few() -> None:
    whole = slate(games=3, per_team=17, with_line=2)
    finding = input_gates.enough_players_have_lines(whole, THRESHOLDS)
    assert finding.level is Level.BELOW
    assert finding.numbers["with_line"] == 12
    assert finding.numbers["players"] == 102
    assert "12 of 102 players have a line (12%), fewer than 35%" in finding.sentence


def test_a_share_equal_to_the_threshold_passes() -> None:
    half = slate(with_line=4, per_team=8)
    assert (
        input_gates.enough_players_have_lines(half, GateThresholds(min_line_share=0.5)).level
        is Level.GOOD
    )
    assert (
        input_gates.enough_players_have_lines(half, GateThresholds(min_line_share=0.51)).level
        is Level.BELOW
    )


def test_without_a_line_share_no_lines_are_needed() -> None:
    none = slate(with_line=0)
    unwanted = GateThresholds(min_line_share=0.0)
    assert input_gates.every_game_has_lines(none, unwanted).level is Level.GOOD
    assert input_gates.enough_players_have_lines(none, unwanted).level is Level.GOOD
    assert input_gates.lines_are_fresh(DAY, 3, {}, unwanted).level is Level.GOOD


def test_a_team_without_five_players_is_named() -> None:
    whole = slate()
    short = replace(whole, players=tuple(p for p in whole.players if p.team != "BOS"))
    finding = input_gates.every_game_has_players(short)
    assert finding.level is Level.BELOW
    assert finding.numbers["teams_too_few"] == ["20260115_ATL_BOS BOS: 0"]


def test_a_player_whose_team_is_unknown_counts_for_both_teams() -> None:
    (game,) = games_of(1)
    four = [player(game, team, n, True) for team in ("ATL", "BOS") for n in range(4)]
    sides = (*four, player(game, None, 9, True))
    assert input_gates.every_game_has_players(Slate(DAY, (game,), sides, ())).level is Level.GOOD


def test_games_without_expected_players_are_below_the_threshold() -> None:
    empty = Slate(DAY, games_of(2), (), ())
    assert input_gates.every_game_has_players(empty).level is Level.BELOW
    assert input_gates.enough_players_have_lines(empty, THRESHOLDS).level is Level.BELOW


def test_a_date_without_games_passes_every_gate() -> None:
    off = Slate(DAY, (), (), ())
    findings = [
        input_gates.schedule_is_known(DAY, 0, is_given=True),
        input_gates.every_game_has_players(off),
        input_gates.every_game_has_lines(off, THRESHOLDS),
        input_gates.enough_players_have_lines(off, THRESHOLDS),
        input_gates.lines_are_of_the_games(off, 0),
        input_gates.lines_are_fresh(DAY, 0, {}, THRESHOLDS),
        input_gates.injury_report_is_there(DAY, 0, 0, None),
    ]
    assert {f.level for f in findings} == {Level.GOOD}


def test_quotes_on_a_date_without_games_are_below_the_threshold() -> None:
    finding = input_gates.lines_are_of_the_games(Slate(DAY, (), (), ()), 200)
    assert finding.level is Level.BELOW
    assert "the date has no games" in finding.sentence


@pytest.mark.parametrize(("off", "level"), [(0, Level.GOOD), (18, Level.UNSURE), (80, Level.BELOW)])
def test_a_few_quotes_off_the_slate_warn_and_many_do_not_pass(off: int, level: Level) -> None:
    some = replace(slate(), quotes_off_slate=off)
    assert input_gates.lines_are_of_the_games(some, 100).level is level


@pytest.mark.parametrize(
    ("games", "is_given", "until", "level"),
    [
        (7, True, None, Level.GOOD),
        (7, True, DAY, Level.GOOD),
        (0, True, DAY, Level.GOOD),
        (7, False, None, Level.UNSURE),
        (0, False, None, Level.BELOW),
        (0, True, DAY - timedelta(days=1), Level.BELOW),
    ],
)
def test_a_schedule_that_may_lack_games_does_not_pass(
    games: int, is_given: bool, until: date | None, level: Level
) -> None:
    assert input_gates.schedule_is_known(DAY, games, is_given=is_given, until=until).level is level


def test_a_schedule_that_ended_is_not_an_error_in_summer() -> None:
    ended = input_gates.schedule_is_known(
        date(2026, 8, 1), 0, is_given=True, until=date(2026, 6, 20)
    )
    assert ended.level is Level.UNSURE


@pytest.mark.parametrize(
    ("newest", "level"),
    [
        ([DAY, DAY], Level.GOOD),
        ([DAY - timedelta(days=1), DAY + timedelta(days=1)], Level.GOOD),
        ([DAY, DAY - timedelta(days=2)], Level.BELOW),
        ([DAY, None], Level.UNSURE),
        ([None, DAY - timedelta(days=9)], Level.BELOW),
        ([], Level.BELOW),
    ],
)
def test_the_game_with_the_oldest_lines_decides(newest: list[date | None], level: Level) -> None:
    by_game = {f"game {n}": quoted_on for n, quoted_on in enumerate(newest)}
    assert input_gates.lines_are_fresh(DAY, 2, by_game, THRESHOLDS).level is level


@pytest.mark.parametrize(
    ("games", "reported", "made_on", "level"),
    [
        (8, 20, DAY, Level.GOOD),
        (8, 20, DAY - timedelta(days=1), Level.BELOW),
        (8, 20, None, Level.UNSURE),
        (8, 0, None, Level.BELOW),
        (8, 0, DAY, Level.BELOW),
        (1, 0, DAY, Level.UNSURE),
    ],
)
def test_an_injury_report_must_exist_and_be_of_the_date(
    games: int, reported: int, made_on: date | None, level: Level
) -> None:
    assert input_gates.injury_report_is_there(DAY, games, reported, made_on).level is level


YESTERDAY = DAY - timedelta(days=1)


def results(missing: int, *, is_given: bool = True, newest: date | None = YESTERDAY) -> Finding:
    """Return the finding for three games yesterday, the last `missing` without box scores."""
    played = games_of(3, YESTERDAY)
    appearances = {
        (game.game_id, team): 9
        for game in played[: 3 - missing]
        for team in (game.away_team, game.home_team)
    }
    return input_gates.no_game_is_missing(
        DAY, played, appearances, newest, THRESHOLDS, is_given=is_given
    )


@pytest.mark.parametrize(
    ("missing", "level"),
    [(0, Level.GOOD), (1, Level.UNSURE), (2, Level.BELOW), (3, Level.BELOW)],
)
def test_one_missing_game_warns_and_several_are_below_the_threshold(
    missing: int, level: Level
) -> None:
    finding = results(missing)
    assert finding.level is level
    assert finding.numbers["games_missing"] == missing


def test_a_box_score_of_one_team_only_is_a_missing_game() -> None:
    (game,) = games_of(1, YESTERDAY)
    half = {(game.game_id, game.home_team): 10, (game.game_id, game.away_team): 2}
    finding = input_gates.no_game_is_missing(
        DAY, [game], half, YESTERDAY, THRESHOLDS, is_given=True
    )
    assert finding.numbers["missing"] == [game.game_id]


def test_without_a_schedule_of_the_days_before_completeness_is_unknown() -> None:
    assert results(0, is_given=False).level is Level.UNSURE
    nothing = input_gates.no_game_is_missing(DAY, [], {}, YESTERDAY, THRESHOLDS, is_given=True)
    assert nothing.level is Level.UNSURE


def test_box_scores_that_ended_weeks_ago_in_the_same_season_do_not_pass() -> None:
    assert results(0, is_given=False, newest=DAY - timedelta(days=11)).level is Level.BELOW
    opening = date(2026, 10, 20)
    first = input_gates.no_game_is_missing(
        opening, [], {}, date(2026, 4, 12), THRESHOLDS, is_given=True
    )
    assert first.level is Level.UNSURE
    none = input_gates.no_game_is_missing(DAY, [], {}, None, THRESHOLDS, is_given=True)
    assert none.level is Level.BELOW


# --------------------------------------------------------------------------- what follows


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("mode", input_gates.MODES)
@pytest.mark.parametrize("past", [True, False])
@pytest.mark.parametrize("only_warns", [True, False])
def test_only_a_finding_below_the_threshold_waits_and_only_a_good_one_passes(
    level: Level, mode: str, past: bool, only_warns: bool
) -> None:
    finding = Finding("lines_are_fresh", level, "a sentence")
    only_warn = {"lines_are_fresh"} if only_warns else {"no_game_is_missing"}
    outcome = input_gates.outcome(finding, mode, past=past, only_warn=only_warn)
    assert (outcome is Outcome.PASSES) == (level is Level.GOOD)
    waits = level is Level.BELOW and mode == "wait" and not past and not only_warns
    assert (outcome is Outcome.WAITS) == waits


@pytest.mark.parametrize(
    ("day", "tipoff", "until"),
    [
        (date(2026, 1, 15), None, datetime(2026, 1, 16, 0, tzinfo=timezone.utc)),
        (date(2026, 7, 15), None, datetime(2026, 7, 15, 23, tzinfo=timezone.utc)),
        (date(2026, 3, 8), None, datetime(2026, 3, 8, 23, tzinfo=timezone.utc)),
        (date(2026, 11, 1), None, datetime(2026, 11, 2, 0, tzinfo=timezone.utc)),
        (
            date(2026, 1, 15),
            datetime(2026, 1, 15, 18, tzinfo=timezone.utc),
            datetime(2026, 1, 15, 18, tzinfo=timezone.utc),
        ),
    ],
)
def test_a_night_waits_until_its_first_tip_off_or_19_eastern(
    day: date, tipoff: datetime | None, until: datetime
) -> None:
    assert input_gates.deadline(day, tipoff) == until


# ------------------------------------------------------------------------------ properties


def of_slate(whole: Slate) -> tuple[Level, ...]:
    findings = (
        input_gates.every_game_has_players(whole),
        input_gates.every_game_has_lines(whole, THRESHOLDS),
        input_gates.enough_players_have_lines(whole, THRESHOLDS),
    )
    return tuple(f.level for f in findings)


Worsen = Callable[[Slate, int], Slate]


def lose_a_line(whole: Slate, at: int) -> Slate:
    players = list(whole.players)
    players[at % len(players)] = with_line(players[at % len(players)], None)
    return replace(whole, players=tuple(players))


@given(
    st.integers(1, 3),
    st.integers(5, 10),
    st.integers(0, 10),
    st.lists(st.integers(0, 1000), max_size=40),
)
def test_removing_a_line_never_improves_a_finding(
    games: int, per_team: int, with_line: int, losses: list[int]
) -> None:
    worse = slate(games, per_team, with_line)
    levels = of_slate(worse)
    for at in losses:
        worse = lose_a_line(worse, at)
        now = of_slate(worse)
        assert all(a.value >= b.value for a, b in zip(now, levels, strict=True))
        levels = now


@given(st.integers(1, 3), st.integers(0, 9), st.lists(st.sampled_from(TEAMS), max_size=40))
def test_removing_a_player_never_improves_a_finding(
    games: int, per_team: int, teams: list[str]
) -> None:
    worse = slate(games, per_team)
    level = input_gates.every_game_has_players(worse).level
    for team in teams:
        removed = next((p for p in worse.players if p.team == team), None)
        worse = replace(worse, players=tuple(p for p in worse.players if p is not removed))
        now = input_gates.every_game_has_players(worse).level
        assert now.value >= level.value
        level = now


@given(
    st.lists(st.integers(-1, 5), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_older_lines_and_more_missing_games_never_improve_a_finding(
    ages: list[int], at: int, older: int
) -> None:
    def level(days: list[int]) -> int:
        newest = {str(n): DAY - timedelta(days=age) for n, age in enumerate(days)}
        return input_gates.lines_are_fresh(DAY, len(days), newest, THRESHOLDS).level.value

    worse = list(ages)
    worse[at % len(worse)] += older
    assert level(worse) >= level(ages)
    missing = [results(n).level.value for n in range(4)]
    assert missing == sorted(missing)


@pytest.mark.parametrize(
    ("rejected", "unread", "level", "sentence"),
    [
        ((), (), Level.GOOD, "all rows are valid"),
        (("a, row 2",), (), Level.UNSURE, "1 row is invalid and set aside: a, row 2"),
        (("a, row 2", "b"), (), Level.UNSURE, "2 rows are invalid and set aside: a, row 2"),
        ((), ("x.json: why",), Level.UNSURE, "1 file is not read: x.json: why"),
        (("a",), ("x", "y"), Level.UNSURE, "1 row is invalid and set aside: a. 2 files are not"),
    ],
)
def test_invalid_rows_and_unread_files_are_named(
    rejected: tuple[str, ...], unread: tuple[str, ...], level: Level, sentence: str
) -> None:
    finding = input_gates.rows_are_valid(rejected, unread)
    assert finding.level is level
    assert finding.sentence.startswith(sentence)
    assert finding.numbers == {"rejected_rows": len(rejected), "unread_files": len(unread)}


def test_every_gate_has_a_description() -> None:
    found = {
        input_gates.schedule_is_known(DAY, 1, is_given=True).gate,
        results(0).gate,
        input_gates.injury_report_is_there(DAY, 1, 1, DAY).gate,
        input_gates.lines_are_fresh(DAY, 1, {"g": DAY}, THRESHOLDS).gate,
        input_gates.every_game_has_players(slate()).gate,
        input_gates.every_game_has_lines(slate(), THRESHOLDS).gate,
        input_gates.enough_players_have_lines(slate(), THRESHOLDS).gate,
        input_gates.lines_are_of_the_games(slate(), 1).gate,
        input_gates.rows_are_valid((), ()).gate,
    }
    assert found == set(GATES)


def test_names_without_a_player_make_the_report_unsure() -> None:
    report = input_gates.injury_report_is_there
    finding = report(DAY, 3, 20, DAY, ["Some Rookie", "John Smith (johnsmith or johnsmithjr)"])
    assert finding.level is Level.UNSURE
    assert finding.sentence == (
        "2 of 20 names on the injury report match no player, or several "
        "(Some Rookie, John Smith (johnsmith or johnsmithjr))"
    )
    old = report(DAY, 3, 20, DAY - timedelta(days=1), ["Some Rookie"])
    assert old.level is Level.BELOW
    assert old.sentence.startswith("the injury report is of 2026-01-14")
    assert old.sentence.endswith("(Some Rookie)")


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("Player Points", " (did you mean player_points?)"),
        ("points", " (did you mean player_points?)"),
        ("PTS", " (did you mean player_points?)"),
        ("playerpoint", " (did you mean player_points?)"),
        ("zzz", ""),
    ],
)
def test_an_input_whose_rows_were_all_left_out_says_why(label: str, hint: str) -> None:
    empty = input_gates.lines_are_fresh(DAY, 3, {}, THRESHOLDS)
    finding = input_gates.explained(empty, 2, {f"other_market: {label}": 2})
    assert finding.level is Level.BELOW
    assert finding.sentence == (
        f"there are no lines: 2 of 2 rows have the unknown market {label!r}{hint}"
    )


def test_rows_that_were_left_out_are_named_in_order_of_their_number() -> None:
    empty = input_gates.lines_are_fresh(DAY, 3, {}, THRESHOLDS)
    dropped = {"suspended": 1, "after_tipoff": 4, "other_dates": 90}
    finding = input_gates.explained(empty, 95, dropped)
    assert finding.sentence == (
        "there are no lines: 4 of 95 rows are left out (after_tipoff); "
        "1 of 95 rows are left out (suspended)"
    )


def test_a_schedule_of_which_rules_left_out_every_row_is_no_day_off() -> None:
    day_off = input_gates.schedule_is_known(DAY, 0, is_given=True)
    assert day_off.level is Level.GOOD
    kept = {"other_dates": 8, "tipoff_unknown": 8}
    assert input_gates.explained(day_off, 8, kept) == day_off
    assert input_gates.explained(day_off, 8, {"postponed": 1, "other_dates": 7}) == day_off
    gone = input_gates.explained(day_off, 8, {"unknown_team": 8})
    assert gone.level is Level.BELOW
    assert input_gates.explained(day_off, 0, {}) == day_off


# ------------------------------------------------------------------------------ by the hour

NOON = datetime(2026, 1, 15, 17, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def games_at(*hours: float | None) -> tuple[Game, ...]:
    """Return games that begin these hours after noon US Eastern."""
    return tuple(
        replace(game, tipoff=None if after is None else NOON + after * HOUR)
        for game, after in zip(games_of(len(hours)), hours, strict=True)
    )


def lines_of_age(games: tuple[Game, ...], *ages: float | None) -> dict[str, datetime | None]:
    return {
        game.game_id: None if age is None else NOON - age * HOUR
        for game, age in zip(games, ages, strict=False)
    }


@pytest.mark.parametrize(
    ("hours", "ages", "level", "sentence"),
    [
        ((7, 8), (2.5, 3), Level.GOOD, "the lines of 2 games are at most 3 h old"),
        (
            (7, 8),
            (0, 8.5),
            Level.BELOW,
            "the newest lines of 1 of 2 games are too old (BKN @ CHA (20:00 ET): 8.5 h)",
        ),
        # They were good enough for the first prediction at 07:00, until an hour before the tip-off.
        ((7, 1.1), (0, 8), Level.GOOD, "the lines of 2 games are at most 8 h old"),
        ((7, 1), (0, 3.5), Level.BELOW, "(BKN @ CHA (13:00 ET): 3.5 h)"),
        ((7, 8), (0, None), Level.UNSURE, "the age of the lines of 1 of 2 games is unknown"),
        ((7, 8), (), Level.BELOW, "there are no lines"),
        # The first game has begun and is left alone.
        ((-1, 8), (9, 1), Level.GOOD, "the lines of 1 games are at most 1 h old"),
        # All games have begun: the lines were that old at the tip-off.
        ((-5, -1), (6, 2), Level.GOOD, "the lines of 2 games are at most 1 h old"),
        # A game without lines is the subject of another gate.
        ((7, 8), (1,), Level.GOOD, "the lines of 1 games are at most 1 h old"),
        ((None, 8), (4, 0), Level.BELOW, "(ATL @ BOS (tip-off unknown): 4 h)"),
    ],
)
def test_lines_are_recent_by_the_hour(
    hours: tuple[float, ...], ages: tuple[float, ...], level: Level, sentence: str
) -> None:
    games = games_at(*hours)
    found = input_gates.lines_are_recent(games, lines_of_age(games, *ages), NOON, THRESHOLDS)
    assert (found.gate, found.level) == ("lines_are_fresh", level)
    assert sentence in found.sentence


def test_recent_lines_are_not_needed_without_games_or_with_a_share_of_zero() -> None:
    unwanted = GateThresholds(min_line_share=0)
    assert input_gates.lines_are_recent((), {}, NOON, THRESHOLDS).level is Level.GOOD
    assert input_gates.lines_are_recent(games_at(7), {}, NOON, unwanted).level is Level.GOOD


GOOD_REPORT = input_gates.injury_report_is_there(DAY, 2, 9, DAY)


@pytest.mark.parametrize(
    ("hours", "age", "missing", "sentence"),
    [
        ((3.9, 8), 1.9, (), "9 players are on the injury report"),
        # No game begins within four hours.
        ((4.1, 8), 6, (), "9 players are on the injury report"),
        (
            (4, 8),
            2.5,
            (),
            "the injury report is 2.5 h old, and ATL @ BOS (16:00 ET) begins within 4 h",
        ),
        (
            (1, 2),
            9,
            (),
            (
                "the injury report is 9 h old, and ATL @ BOS (13:00 ET), BKN @ CHA (14:00 ET) "
                "begin within 4 h"
            ),
        ),
        ((7, 8), 1, ("CHA",), "CHA (20:00 ET) has not submitted an injury report yet"),
        (
            (8, 7),
            1,
            ("BOS", "CHA"),
            "CHA (19:00 ET), BOS (20:00 ET) have not submitted an injury report yet",
        ),
        (
            (2, 7),
            3,
            ("BOS",),
            (
                "the injury report is 3 h old, and ATL @ BOS (14:00 ET) begins within 4 h; "
                "BOS (14:00 ET) has not submitted an injury report yet"
            ),
        ),
        # A game that has begun is left alone.
        ((-1, 7), 5, ("BOS",), "9 players are on the injury report"),
    ],
)
def test_an_old_report_and_teams_that_have_not_reported_warn(
    hours: tuple[float, ...], age: float, missing: tuple[str, ...], sentence: str
) -> None:
    found = input_gates.injury_report_is_current(
        GOOD_REPORT, games_at(*hours), NOON, NOON - age * HOUR, missing
    )
    assert found.sentence == sentence
    assert found.level is (Level.GOOD if sentence == GOOD_REPORT.sentence else Level.UNSURE)
    assert found.numbers["age_hours"] == age


def test_a_missing_report_stays_below_and_names_the_teams() -> None:
    missing = input_gates.injury_report_is_there(DAY, 3, 0, None)
    found = input_gates.injury_report_is_current(missing, games_at(7), NOON, None, ("BOS",))
    assert found.level is Level.BELOW
    assert found.sentence == (
        f"{missing.sentence}; BOS (19:00 ET) has not submitted an injury report yet"
    )


def test_games_without_lines_are_named_with_their_tip_offs() -> None:
    whole = replace(without_lines_of(slate(), 2), games=games_at(7, 9, 8))
    found = input_gates.every_game_has_lines(whole, THRESHOLDS, by_the_hour=True)
    assert "(CHI @ CLE (20:00 ET), BKN @ CHA (21:00 ET))" in found.sentence
