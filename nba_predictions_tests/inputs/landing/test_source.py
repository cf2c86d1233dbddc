"""The live source on small landing zones: what it reads of each resource at a moment."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.policies.input_gates import GateThresholds, Level
from nba_predictions.inputs.importing.tables import SCHEMAS
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone, Outcome
from nba_predictions.inputs.port import LINES, LOGS, REPORT
from nba_predictions.nightly.gates import findings_of
from nba_predictions.nightly.slate import slate_of
from nba_predictions_tests.inputs.importing.payloads import (
    espn_injuries,
    espn_summary,
    live_box_score,
)
from nba_predictions_tests.inputs.landing.zones import (
    game_log,
    land,
    league_schedule,
    odds,
    player_index,
    report,
    scoreboard,
)

DAY = date(2025, 1, 10)
BEFORE = DAY - timedelta(days=1)
#: 19:30 US Eastern on DAY, and noon.
TIPOFF = datetime(2025, 1, 11, 0, 30, tzinfo=timezone.utc)
NOON = datetime(2025, 1, 10, 17, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LOG = ("nba_stats", "leaguegamelog", "2024-25.regular-season")
CALENDAR = ("nba_cdn", "schedule", "2024-25")
ROSTER = ("nba_stats", "playerindex", "2024-25")
EVENT = ("odds_api", "odds", f"{DAY}.event1")
PLAYERS = {
    **{100 + n: (f"Ann Bosson{chr(97 + n)}", "BOS") for n in range(6)},
    **{200 + n: (f"Bo Lalson{chr(97 + n)}", "LAL") for n in range(6)},
}


def slot(moment: datetime) -> tuple[str, str, str]:
    local = moment - 5 * HOUR
    return ("injury_report", "report", f"{local:%Y-%m-%d.%H_%M}")


def logs(points: int = 20, day: date = BEFORE, **teams: str) -> dict[str, Any]:
    """Return the box scores of one game; `teams` replace those of players, by `p100`."""
    rows = []
    for player, (name, team) in PLAYERS.items():
        own = teams.get(f"p{player}", team)
        rows.append(
            {
                "season": "2024-25",
                "SEASON_ID": 22024,
                "PLAYER_ID": player,
                "PLAYER_NAME": name,
                "TEAM_ABBREVIATION": own,
                "GAME_ID": "0022400001",
                "GAME_DATE": day,
                "MATCHUP": "LAL @ BOS" if own == "LAL" else f"{own} vs. LAL",
                "MIN": 30,
                **dict.fromkeys(list(SCHEMAS[LOGS])[8:-1], 0),
                "FTM": points,
                "FTA": points,
                "PTS": points,
            }
        )
    return game_log(pl.DataFrame(rows))


def games(*tipoffs: datetime, teams: tuple[str, str] = ("LAL", "BOS")) -> pl.DataFrame:
    rows = [((t - 5 * HOUR).date(), *teams, t) for t in tipoffs]
    names = ["game_date", "away_team", "home_team", "tipoff"]
    return pl.DataFrame(rows, schema=names, orient="row")


def quotes(line: float = 20.5, players: tuple[str, ...] = ("Ann Bossona",)) -> pl.DataFrame:
    rows = [
        ("draftkings", player, side, line, -110, "event1", "LAL", "BOS", TIPOFF)
        for player in players
        for side in ("Over", "Under")
    ]
    names = ["bookmaker", "player", "side", "line", "price", "game_id", "away_team", "home_team"]
    return pl.DataFrame(rows, schema=[*names, "commence_time"], orient="row")


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    """A zone with one game played and one scheduled."""
    zone = LandingZone(tmp_path / "landing")
    land(zone, LOG, logs(), NOON - 9 * HOUR)
    land(zone, CALENDAR, league_schedule(games(TIPOFF), NOON - 9 * HOUR), NOON - 9 * HOUR)
    return zone


def at(zone: LandingZone, moment: datetime = NOON) -> LiveSource:
    return LiveSource(zone).known_at(moment)


def line_of(source: LiveSource) -> list[float]:
    return sorted({float(line) for line in source.prop_lines(DAY)["line"]})


def statuses(source: LiveSource) -> dict[str, str]:
    rows = source.injuries(DAY).select("player_lookup", "status")
    return dict(rows.iter_rows())


# ------------------------------------------------------------------------------ box scores


def test_the_newest_season_that_was_known_counts(zone: LandingZone) -> None:
    land(zone, LOG, logs(21), NOON)
    for moment, points in ((NOON - MINUTE, 20), (NOON, 21)):
        rows = at(zone, moment).game_logs(DAY)
        assert set(rows["points"]) == {points}
        assert set(rows["observed_at"]) == {NOON if points == 21 else NOON - 9 * HOUR}
    assert at(zone, NOON - 10 * HOUR).game_logs(DAY).is_empty()


def test_a_season_that_cannot_be_read_is_named_and_the_one_before_it_is_used(
    zone: LandingZone,
) -> None:
    renamed = logs()
    renamed["resultSets"][0]["headers"] = [
        "TURNOVERS_X" if name == "TOV" else name for name in renamed["resultSets"][0]["headers"]
    ]
    path = land(zone, LOG, renamed, NOON - HOUR)
    source = at(zone)
    assert set(source.game_logs(DAY)["points"]) == {20}
    (unread,) = [a for a in source.accounts(DAY) if not a.read]
    assert (unread.kind, unread.path) == (LOGS, path)
    assert "the column TOV is missing" in unread.note


def test_a_damaged_file_is_not_an_input(zone: LandingZone, tmp_path: Path) -> None:
    path = tmp_path / "landing" / land(zone, LOG, logs(30), NOON - HOUR)
    path.write_bytes(path.read_bytes()[:-20])
    source = at(zone)
    assert set(source.game_logs(DAY)["points"]) == {20}
    assert any("is damaged" in account.note for account in source.accounts(DAY))


def test_broken_answers_are_not_read(zone: LandingZone) -> None:
    land(zone, LOG, b"<html>Access Denied</html>", NOON - HOUR, Outcome.BROKEN)
    assert all(account.read for account in at(zone).accounts(DAY))


@pytest.mark.parametrize("kind", ["nba_cdn", "espn"])
def test_a_game_that_the_season_lacks_comes_from_its_own_box_score(
    zone: LandingZone, kind: str
) -> None:
    ids = {9001: ("Arlo Lalson Jr.", "LAL"), 9002: ("Benno Bosson", "BOS")}
    rows = [(player, *values) for player, values in ids.items()]
    land(zone, ROSTER, player_index(rows), NOON - HOUR)
    if kind == "espn":
        resource: tuple[str, str, str] = ("espn", "summary", f"{DAY}.401810999")
        land(zone, resource, espn_summary(), TIPOFF + 3 * HOUR)
    else:
        resource = ("nba_cdn", "boxscore", "0022400999")
        land(zone, resource, live_box_score(), TIPOFF + 3 * HOUR)
    assert at(zone, TIPOFF + 2 * HOUR).box_scores(DAY).is_empty()
    source = at(zone, TIPOFF + 4 * HOUR)
    assert dict(source.box_scores(DAY).select("player_id", "points").iter_rows()) == {
        9001: 23,
        9002: 13,
    }
    # The log of the season has the game from now on.
    land(zone, LOG, logs(25, day=DAY), TIPOFF + 5 * HOUR)
    assert set(at(zone, TIPOFF + 6 * HOUR).box_scores(DAY)["points"]) == {25}
    assert set(source.box_scores(DAY)["points"]) == {23, 13}


def test_the_first_date_is_in_the_oldest_season(zone: LandingZone, tmp_path: Path) -> None:
    assert LiveSource(zone).first_date == date(2024, 10, 1)
    land(zone, ("nba_stats", "leaguegamelog", "2021-22.playoffs"), logs(), NOON)
    assert LiveSource(zone).first_date == date(2021, 10, 1)
    assert LiveSource(LandingZone(tmp_path / "none")).first_date is None


# -------------------------------------------------------------------------------- schedule


def test_a_moved_tip_off_is_known_from_its_answer_on(zone: LandingZone) -> None:
    land(zone, CALENDAR, league_schedule(games(TIPOFF + HOUR), NOON), NOON)
    assert at(zone, NOON - MINUTE).schedule(DAY)["tipoff"].to_list() == [TIPOFF]
    assert at(zone).schedule(DAY)["tipoff"].to_list() == [TIPOFF + HOUR]


@pytest.mark.parametrize(
    ("age", "board_age", "is_of_board"),
    [
        (timedelta(hours=23), timedelta(hours=1), False),
        (timedelta(hours=25), timedelta(hours=1), True),
        (timedelta(hours=25), timedelta(hours=26), False),
    ],
)
def test_the_scoreboard_replaces_an_old_schedule(
    tmp_path: Path, age: timedelta, board_age: timedelta, is_of_board: bool
) -> None:
    zone = LandingZone(tmp_path)
    land(zone, CALENDAR, league_schedule(games(TIPOFF), NOON - age), NOON - age)
    board = scoreboard([("LAL", "BOS", TIPOFF + HOUR)])
    land(zone, ("espn", "scoreboard", f"{DAY}"), board, NOON - board_age)
    tipoff = TIPOFF + HOUR if is_of_board else TIPOFF
    assert at(zone).schedule(DAY)["tipoff"].to_list() == [tipoff]


def test_a_schedule_that_does_not_reach_the_date_is_no_answer(zone: LandingZone) -> None:
    later = DAY + timedelta(days=40)
    assert at(zone).provenance(later).schedule_until == DAY
    assert at(zone).schedule(later).is_empty()
    board = scoreboard([("LAL", "BOS", TIPOFF + timedelta(days=40))])
    land(zone, ("espn", "scoreboard", f"{later}"), board, NOON)
    assert at(zone).schedule(later).height == 1
    assert at(zone).provenance(later).schedule_is_given


def test_without_a_schedule_the_games_are_those_of_the_logs_or_the_lines(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path)
    land(zone, LOG, logs(), NOON)
    land(zone, EVENT, odds(quotes(), NOON), NOON)
    source = at(zone)
    assert not source.provenance(DAY).schedule_is_given
    assert source.schedule(BEFORE)["game_id"].to_list() == ["20250109_LAL_BOS"]
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_LAL_BOS"]


# ----------------------------------------------------------------------------------- lines


def test_the_newest_lines_of_each_event_count(zone: LandingZone) -> None:
    land(zone, EVENT, odds(quotes(20.5), NOON - 2 * HOUR), NOON - 2 * HOUR)
    land(zone, EVENT, odds(quotes(22.5), NOON), NOON)
    assert line_of(at(zone, NOON - MINUTE)) == [20.5]
    assert line_of(at(zone)) == [22.5]
    (account,) = [a for a in at(zone).accounts(DAY) if a.kind == LINES]
    assert account.note == (
        "odds_api, fetched 2025-01-10T17:00:00Z, source time 2025-01-10T17:00:00Z"
    )


def test_lines_from_during_the_game_do_not_replace_those_from_before(zone: LandingZone) -> None:
    land(zone, EVENT, odds(quotes(20.5), TIPOFF - HOUR), TIPOFF - HOUR)
    # The start moved to the real tip-off, and that of the schedule is earlier.
    moved = TIPOFF + 9 * MINUTE
    land(zone, EVENT, odds(quotes(6.5), TIPOFF + 5 * MINUTE, moved), TIPOFF + 5 * MINUTE)
    land(zone, EVENT, {**odds(quotes(), TIPOFF), "bookmakers": []}, TIPOFF + 10 * MINUTE)
    for hours in (0.1, 1, 40):
        assert line_of(at(zone, TIPOFF + hours * HOUR)) == [20.5]


def test_a_market_that_is_withdrawn_before_the_game_has_no_lines(zone: LandingZone) -> None:
    land(zone, EVENT, odds(quotes(20.5), NOON - HOUR), NOON - HOUR)
    land(zone, EVENT, {**odds(quotes(), NOON), "bookmakers": []}, NOON)
    assert line_of(at(zone)) == []


def test_a_quote_is_not_later_than_its_answer(zone: LandingZone) -> None:
    land(zone, EVENT, odds(quotes(), NOON + HOUR), NOON)
    assert set(at(zone).prop_lines(DAY)["quoted_at"]) == {NOON}


# -------------------------------------------------------------------------------- injuries


def one(status: str) -> list[tuple[str, str, str, str]]:
    return [("BOS", "Ann Bossona", status, "Rest")]


def test_the_newest_report_counts_by_its_masthead(zone: LandingZone) -> None:
    made_at = NOON - HOUR
    land(zone, slot(made_at), report(one("Out"), DAY, made_at, ["LAL"]), NOON)
    # The name of the request is later, but the report is an earlier one.
    late = NOON - HOUR / 2
    land(zone, slot(late), report(one("Probable"), DAY, made_at - 15 * MINUTE), NOON)
    source = at(zone)
    assert statuses(source) == {"annbossona": "OUT"}
    provenance = source.provenance(DAY)
    assert (provenance.injuries_made_at, provenance.by_the_hour) == (made_at, True)
    assert provenance.teams_not_reported == ("LAL",)
    assert at(zone, NOON - MINUTE).provenance(DAY).injuries_made_at is None


def test_a_report_of_the_day_before_covers_the_next_day(zone: LandingZone) -> None:
    made_at = NOON - 19 * HOUR
    land(zone, slot(made_at), report(one("Out"), DAY, made_at), made_at)
    assert statuses(at(zone)) == {"annbossona": "OUT"}
    assert at(zone).provenance(DAY).injuries_made_on == BEFORE


def test_of_a_past_night_the_report_from_before_the_tip_off_counts(zone: LandingZone) -> None:
    for moment, status in ((TIPOFF - HOUR, "Doubtful"), (TIPOFF + HOUR / 2, "Available")):
        land(zone, slot(moment), report(one(status), DAY, moment), TIPOFF + 2 * HOUR)
    assert statuses(at(zone, TIPOFF + 30 * HOUR)) == {"annbossona": "DOUBTFUL"}


def test_without_a_report_of_the_date_that_of_espn_counts(zone: LandingZone) -> None:
    answer = espn_injuries() | {"timestamp": "2025-01-10T15:00:00Z"}
    land(zone, ("espn", "injuries", "current"), answer, NOON - HOUR)
    expected = {"arlolalsonjr": "OUT", "doralalson": "QUESTIONABLE"}
    assert statuses(at(zone)) == expected
    # The report of the evening before has only the teams that had submitted.
    old = NOON - 19 * HOUR
    land(zone, slot(old), report(one("Out"), DAY, old, ["LAL"]), old)
    assert statuses(at(zone)) == expected
    assert at(zone).provenance(DAY).teams_not_reported == ()
    new = NOON - 2 * HOUR
    land(zone, slot(new), report(one("Out"), DAY, new), new)
    assert statuses(at(zone)) == {"annbossona": "OUT"}


def test_a_report_with_another_layout_is_named_and_the_one_before_it_is_used(
    zone: LandingZone,
) -> None:
    land(zone, slot(NOON - HOUR), report(one("Out"), DAY, NOON - HOUR), NOON - HOUR)
    path = land(zone, slot(NOON), b"%PDF-1.7 nothing", NOON)
    assert statuses(at(zone)) == {"annbossona": "OUT"}
    at_noon = at(zone)
    at_noon.injuries(DAY)
    unread = [a for a in at_noon.accounts(DAY) if not a.read]
    assert [(a.kind, a.path) for a in unread] == [(REPORT, path)]


# ---------------------------------------------------------------------------------- roster


def test_a_player_who_was_traded_yesterday_is_predicted_for_the_new_team(
    zone: LandingZone,
) -> None:
    rows = [(player, *values) for player, values in PLAYERS.items()]
    traded = [(p, name, "LAL" if p == 100 else team) for p, name, team in rows]
    land(zone, ROSTER, player_index(rows), NOON - 30 * HOUR)
    land(zone, ROSTER, player_index(traded), NOON - HOUR)
    for moment, team in ((NOON - 2 * HOUR, "BOS"), (NOON, "LAL")):
        slate = slate_of(LiveSource(zone), DAY, moment)
        (player,) = [p for p in slate.players if p.player_id == 100]
        assert (player.team, player.is_home) == (team, team == "BOS")
    # A list of a later day does not change a past night.
    back = [(p, name, "BOS") for p, name, _ in rows]
    land(zone, ROSTER, player_index(back), NOON + 50 * HOUR)
    assert set(at(zone, NOON + 60 * HOUR).roster(DAY)["team"]) == {"LAL", "BOS"}


def test_a_box_score_that_is_newer_than_the_roster_decides_the_team(zone: LandingZone) -> None:
    rows = [(player, name, "LAL") for player, (name, _) in PLAYERS.items()]
    land(zone, ROSTER, player_index(rows), NOON - 29 * HOUR)
    slate = slate_of(LiveSource(zone), DAY, NOON)
    assert {p.player_id: p.team for p in slate.players}[100] == "BOS"


def test_players_without_a_box_score_are_known_by_name(zone: LandingZone) -> None:
    rows: list[tuple[int, str, str | None]] = [(p, *values) for p, values in PLAYERS.items()]
    rows += [(300, "Cy Newcomer", "BOS"), (301, "Ann Bossonb", "LAL"), (302, "No Team", None)]
    land(zone, ROSTER, player_index(rows), NOON - HOUR)
    land(zone, EVENT, odds(quotes(players=("Cy Newcomer", "Ann Bossona")), NOON), NOON)
    injured = [("BOS", "Cy Newcomer", "Probable", "Rest"), ("LAL", "Unknown Name", "Out", "Rest")]
    land(zone, slot(NOON), report(injured, DAY, NOON), NOON)
    source = at(zone)
    roster = source.roster(DAY)
    assert dict(roster.select("player_id", "player_lookup").iter_rows())[301] == "annbossonb301"
    assert 302 not in roster["player_id"]
    slate = slate_of(LiveSource(zone), DAY, NOON)
    assert [(u.kind, u.name) for u in slate.unmatched] == [("injuries", "Unknown Name")]
    assert [(s.player_lookup, s.reason[:14]) for s in slate.skips] == [
        ("cynewcomer", "unknown_player")
    ]
    # Both namesakes are known by their teams.
    assert sum(p.player_name == "Ann Bossonb" for p in slate.players) == 1


# ----------------------------------------------------------------------------------- gates


def test_gates_count_in_hours(zone: LandingZone) -> None:
    at_five = TIPOFF - 2.5 * HOUR
    made_at = TIPOFF - 5 * HOUR
    land(zone, slot(made_at), report(one("Out"), DAY, made_at, ["LAL"]), made_at)
    land(zone, EVENT, odds(quotes(), at_five - 13.5 * HOUR), at_five - 13.5 * HOUR)
    source = at(zone, at_five)
    slate = slate_of(LiveSource(zone), DAY, at_five)
    found = {f.gate: f for f in findings_of(source, slate, GateThresholds())}
    assert found["lines_are_fresh"].level is Level.BELOW
    assert "(LAL @ BOS (19:30 ET): 13.5 h)" in found["lines_are_fresh"].sentence
    injuries = found["injury_report_is_there"]
    assert injuries.level is Level.UNSURE
    assert injuries.sentence == (
        "the injury report is 2.5 h old, and LAL @ BOS (19:30 ET) begins within 4 h; "
        "LAL (19:30 ET) has not submitted an injury report yet"
    )
    assert "(LAL @ BOS (19:30 ET))" in found["every_game_has_lines"].sentence


def test_nothing_landed_is_an_empty_source(tmp_path: Path) -> None:
    source = at(LandingZone(tmp_path / "none"))
    assert source.game_logs(DAY).is_empty()
    assert source.accounts(DAY) == []
    slate = slate_of(source, DAY, NOON)
    levels = {f.gate: f.level for f in findings_of(source, slate, GateThresholds())}
    assert levels["no_game_is_missing"] is levels["schedule_is_known"] is Level.BELOW


# ----------------------------------------------------------------------- point in time


def test_a_call_without_a_new_answer_reads_no_file(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LiveSource(zone)
    source.game_logs(DAY)
    source.schedule(DAY)

    def read(self: LandingZone, landed: object) -> bytes:
        raise AssertionError(landed)

    monkeypatch.setattr(LandingZone, "read", read)
    view = source.known_at(NOON)
    view.game_logs(DAY)
    view.accounts(DAY)
    source.schedule(DAY)


#: Answers of every resource, as functions of a number and the moment at which they are fetched.
BODIES: dict[tuple[str, str, str], Any] = {
    LOG: lambda n, _: logs(10 + n, day=DAY if n % 2 else BEFORE),
    CALENDAR: lambda n, moment: league_schedule(games(TIPOFF + n * MINUTE), moment),
    EVENT: lambda n, moment: odds(
        quotes(10.5 + n), moment + (n - 3) * MINUTE, TIPOFF + (n - 2) * 2 * HOUR
    ),
    ROSTER: lambda n, _: player_index([(100, f"Ann Bossona{'x' * n}", "LAL" if n % 2 else "BOS")]),
    ("espn", "scoreboard", f"{DAY}"): lambda n, _: scoreboard([("LAL", "BOS", TIPOFF + n * HOUR)]),
    ("espn", "injuries", "current"): lambda n, moment: (
        espn_injuries() | {"timestamp": f"{moment + (n - 3) * HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    ),
    ("espn", "summary", f"{DAY}.401810999"): lambda _n, _m: espn_summary(),
    ("nba_cdn", "boxscore", "0022400999"): lambda _n, _m: live_box_score(),
    ("nba_stats", "leaguegamelog", "2024-25.playoffs"): lambda n, _: (
        {"resource": "leaguegamelog", "resultSets": []} if n % 2 else {"broken": n}
    ),
}


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[tuple[str, str, str], int, datetime]]:
    """Return answers with their moments, oldest first."""
    minutes = sorted(draw(st.lists(st.integers(0, 50 * 60), min_size=1, max_size=12)))
    start = TIPOFF - 40 * HOUR
    resources = st.sampled_from(list(BODIES))
    return [(draw(resources), draw(st.integers(0, 4)), start + m * MINUTE) for m in minutes]


def frames_of(source: LiveSource) -> dict[str, pl.DataFrame]:
    return {
        f"{name} {day}": getattr(source, name)(day)
        for name in ("game_logs", "box_scores", "schedule", "prop_lines", "injuries", "roster")
        for day in (DAY, BEFORE)
    }


@settings(max_examples=25, deadline=None)
@given(history=histories(), at_answer=st.integers(0, 11), after=st.integers(-1, 90))
def test_what_was_known_does_not_depend_on_later_answers(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[tuple[str, str, str], int, datetime]],
    at_answer: int,
    after: int,
) -> None:
    as_of = history[min(at_answer, len(history) - 1)][2] + after * MINUTE
    whole, until = (LandingZone(tmp_path_factory.mktemp("zone")) for _ in range(2))
    for resource, number, moment in history:
        body = BODIES[resource](number, moment)
        land(whole, resource, body, moment)
        if moment <= as_of:
            land(until, resource, body, moment)
    source = LiveSource(whole)
    # Other moments, before and after, leave nothing behind.
    for other in (as_of + 60 * HOUR, as_of - HOUR):
        frames_of(source.known_at(other))
    view, alone = source.known_at(as_of), LiveSource(until).known_at(as_of)
    found = frames_of(view)
    for name, frame in frames_of(alone).items():
        assert found[name].equals(frame), name
    assert view.provenance(DAY) == alone.provenance(DAY)
    assert view.accounts(DAY) == alone.accounts(DAY)
    for name, frame in found.items():
        for column in {"observed_at", "quoted_at"} & set(frame.columns):
            assert (frame[column] <= as_of).all(), (name, column)
