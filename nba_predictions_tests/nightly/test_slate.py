from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from nba_predictions.domain.betting.slate import RECENT_GAMES
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, SCHEDULE
from nba_predictions.nightly.slate import features_as_of, load_slate, player_forms, slate_frame
from nba_predictions_tests.examples import GAME_DATE, NOON, SECOND


def log(
    day: int, lookup: str = "paulgeorge", team: str = "PHI", minutes: float = 30.0, **changed: Any
) -> dict[str, Any]:
    values = {
        "game_date": date(2025, 12, day),
        "game_id": f"202512{day:02}_X_{team}",
        "season": "2025-26",
        "player_lookup": lookup,
        "player_name": lookup.title(),
        "team": team,
        "minutes": minutes,
        "points": 20,
    }
    return {**values, **changed}


def logs(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=GAME_LOGS)


def form(game_logs: pl.DataFrame, lookup: str = "paulgeorge") -> Any:
    (found,) = [f for f in player_forms(game_logs, "2025-26") if f.player_lookup == lookup]
    return found


def test_recent_minutes_are_the_mean_of_the_last_games_in_any_row_order() -> None:
    rows = [log(day, minutes=float(day)) for day in range(1, 16)]
    found = form(logs(*rows[::-1]))
    assert found.games == 15
    assert found.recent_minutes == pytest.approx(sum(range(6, 16)) / RECENT_GAMES)


def test_the_team_is_the_team_of_the_latest_game() -> None:
    assert form(logs(log(1, team="LAC"), log(9), log(5, team="LAC"))).team == "PHI"


def test_missed_games_are_games_of_the_latest_team_since_the_player_last_played() -> None:
    rows = [log(1), log(3)]
    rows += [log(day, "mate") for day in (1, 3, 5, 7)]
    rows += [log(day, "stranger", "DAL") for day in (5, 6, 7, 8)]
    found = form(logs(*rows))
    assert (found.team_games_missed, found.season_games_missed) == (2, 0)


def test_a_player_who_has_not_played_this_season_misses_its_games() -> None:
    old = log(1, game_date=date(2025, 4, 1), season="2024-25")
    missed_then = log(2, "mate", game_date=date(2025, 4, 3), season="2024-25")
    found = form(logs(old, missed_then, log(1, "mate"), log(3, "mate")))
    assert (found.team_games_missed, found.season_games_missed) == (3, 2)


def test_a_player_has_the_id_of_the_box_scores_if_they_have_one() -> None:
    rows = logs(log(1, player_id=7), log(2, player_id=7), log(2, "mate"))
    assert form(rows).player_id == 7
    assert form(rows, "mate").player_id is None


def test_stored_box_scores_of_an_earlier_version_are_refused_with_the_fix() -> None:
    old = logs(log(30)).drop("player_id")
    empty = [pl.DataFrame(schema=schema) for schema in (SCHEDULE, PROP_LINES, INJURIES)]
    with pytest.raises(SourceDataError, match="materialize `game_logs` of 2026-01-01 again"):
        load_slate(GAME_DATE, old, *empty)


def test_an_empty_history_has_no_forms() -> None:
    assert player_forms(logs(), "2025-26") == []
    assert features_as_of(logs()) is None


def test_features_are_as_of_the_end_of_the_latest_game_day() -> None:
    expected = datetime(2025, 12, 10, 5, tzinfo=timezone.utc)
    assert features_as_of(logs(log(9), log(3))) == expected


def test_a_slate_is_built_from_the_frames_of_the_source() -> None:
    schedule = pl.DataFrame(
        [
            {
                "game_date": GAME_DATE,
                "game_id": "20260101_PHI_DAL",
                "away_team": "PHI",
                "home_team": "DAL",
            }
        ],
        schema=SCHEDULE,
    )
    quotes = pl.DataFrame(
        [
            {
                "game_date": GAME_DATE,
                "player_lookup": "paulgeorge",
                "player_name": "Paul George",
                "market": "points",
                "book": "book",
                "line_source": "sportsbook",
                "side": side,
                "line": Decimal("22.5"),
                "price": -110,
                "away_team": "PHI",
                "home_team": "DAL",
            }
            for side in ("Over", "Under")
        ],
        schema=PROP_LINES,
    )
    injuries = pl.DataFrame(
        [{"game_date": GAME_DATE, "player_lookup": "joelembiid", "status": "OUT"}], schema=INJURIES
    )
    history = logs(log(30), log(30, "joelembiid"), log(30, "lukadoncic", "DAL"))
    slate = load_slate(GAME_DATE, history, schedule, quotes, injuries)
    assert [(p.player_lookup, p.market("points").base_line) for p in slate.players] == [
        ("lukadoncic", None),
        ("paulgeorge", Decimal("22.5")),
    ]
    assert [s.player_lookup for s in slate.skips] == ["joelembiid"]
    frame = slate_frame(slate)
    assert frame["player_lookup"].to_list() == ["lukadoncic", "paulgeorge"]
    assert frame["is_home"].to_list() == [True, False]


def test_a_player_who_was_renamed_has_one_form_with_the_latest_name() -> None:
    lookup = "arlolalsoniii"
    rows = [
        log(4, lookup, player_name="Arlo Lalson", player_id=1),
        log(6, lookup, player_name="Arlo Lalson III", player_id=1),
    ]
    found = form(logs(*rows), lookup)
    assert (found.player_name, found.player_id, found.games) == ("Arlo Lalson III", 1, 2)
    assert found.former_names == {"arlolalson"}
    assert found.last_played == date(2025, 12, 6)


def test_frames_that_an_earlier_version_stored_have_a_slate() -> None:
    game_logs = logs(log(30), log(30, "lukadoncic", "DAL")).drop("observed_at")
    schedule = pl.DataFrame(
        [(GAME_DATE, "20260101_PHI_DAL", "PHI", "DAL", None)],
        schema={n: t for n, t in SCHEDULE.items() if n != "observed_at"},
        orient="row",
    )
    lines = pl.DataFrame(schema=PROP_LINES).drop("quoted_at", "book_name", "game_id")
    report = pl.DataFrame(
        [(GAME_DATE, "paulgeorge", "Paul George", "OUT", None)],
        schema={n: t for n, t in INJURIES.items() if n not in ("team", "observed_at")},
        orient="row",
    )
    slate = load_slate(GAME_DATE, game_logs, schedule, lines, report)
    assert [p.player_lookup for p in slate.players] == ["lukadoncic"]
    assert slate.absent == {"paulgeorge"}


def test_the_last_status_before_the_slate_counts() -> None:
    schedule = pl.DataFrame(
        [{"game_date": GAME_DATE, "game_id": "g", "away_team": "PHI", "home_team": "DAL"}],
        schema=SCHEDULE,
    )
    at = datetime(2026, 1, 1, 14, tzinfo=timezone.utc)
    report = pl.DataFrame(
        [
            {"player_lookup": "paulgeorge", "status": status, "observed_at": moment}
            for status, moment in (("OUT", at), ("AVAILABLE", None))
        ],
        schema=INJURIES,
    )
    slate = load_slate(GAME_DATE, logs(log(30)), schedule, pl.DataFrame(schema=PROP_LINES), report)
    assert slate.absent == {"paulgeorge"}


def test_a_slate_as_of_a_moment_leaves_games_that_have_begun_alone() -> None:
    schedule = pl.DataFrame(
        [
            {
                "game_date": GAME_DATE,
                "game_id": f"20260101_{away}_{home}",
                "away_team": away,
                "home_team": home,
                "tipoff": tipoff,
            }
            for away, home, tipoff in (("PHI", "DAL", NOON), ("BOS", "LAL", None))
        ],
        schema=SCHEDULE,
    )
    history = logs(log(30), log(30, "jaysontatum", "BOS"))
    frames = (history, schedule, pl.DataFrame(schema=PROP_LINES), pl.DataFrame(schema=INJURIES))
    before, after = (load_slate(GAME_DATE, *frames, as_of=at) for at in (NOON - SECOND, NOON))
    assert [p.player_lookup for p in before.players] == ["jaysontatum", "paulgeorge"]
    assert [p.player_lookup for p in after.players] == ["jaysontatum"]
    assert (after.as_of, after.left_alone) == (NOON, ("paulgeorge",))
    assert len(load_slate(GAME_DATE, *frames, as_of=NOON, begun_games=True).players) == 2
    # Without a moment, as in a backtest, all games are predicted.
    assert replace(load_slate(GAME_DATE, *frames), as_of=before.as_of) == before


def test_the_frame_of_an_empty_slate_has_all_columns() -> None:
    empty = load_slate(
        GAME_DATE,
        logs(),
        pl.DataFrame(schema=SCHEDULE),
        pl.DataFrame(schema=PROP_LINES),
        pl.DataFrame(schema=INJURIES),
    )
    assert slate_frame(empty).height == 0
    assert "player_lookup" in slate_frame(empty).columns
