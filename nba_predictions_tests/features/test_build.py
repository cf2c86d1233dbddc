"""Features contain only facts known before the date, and do not depend on other rows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain import market as markets
from nba_predictions.domain.market import Market
from nba_predictions.features.build import (
    FEATURES,
    KEYS,
    SIMILAR,
    build_features,
    market_features,
    training_features,
)
from nba_predictions_tests.second_market import REBOUNDS, register
from nba_predictions_tests.systems.league import START, play_league, slate_of

HISTORY = play_league(1, dates=45)
DATES = HISTORY["game_date"].unique().sort().to_list()
COLUMNS = [*KEYS, *FEATURES, *SIMILAR]


def game(day: date, **cells: object) -> dict[str, object]:
    """Return one historical row; by default an ordinary game of AAA at BBB."""
    row: dict[str, object] = {
        "game_date": day,
        "game_id": f"{day:%Y%m%d}_AAA_BBB",
        "player_lookup": "one",
        "team": "AAA",
        "opponent": "BBB",
        "is_home": False,
        "minutes": 30.0,
        "points": 10,
        "fgm": 4,
        "fga": 8,
        "fg3m": 1,
        "fg3a": 2,
        "ftm": 1,
        "fta": 2,
        "oreb": 1,
        "tov": 2,
    }
    return row | cells


def ask(day: date, player: str = "one", **cells: object) -> pl.DataFrame:
    """Return a slate of one player."""
    row = {
        "game_date": day,
        "game_id": f"{day:%Y%m%d}_AAA_BBB",
        "player_lookup": player,
        "team": "AAA",
        "opponent": "BBB",
        "is_home": False,
    }
    return pl.DataFrame([row | cells], schema_overrides=_SLATE)


_SLATE = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "player_lookup": pl.String,
    "team": pl.String,
    "opponent": pl.String,
    "is_home": pl.Boolean,
}


def test_features_by_hand() -> None:
    days = [date(2024, 1, d) for d in (1, 3, 5, 8, 10, 11)]
    scored = [10, 20, 12, 18, 15, 30]
    history = pl.DataFrame(
        [
            game(d, points=p, minutes=20.0 + i)
            for i, (d, p) in enumerate(zip(days, scored, strict=True))
        ]
    )
    row = build_features(history, ask(date(2024, 1, 12), is_home=True)).row(0, named=True)
    assert row["games"] == row["games_season"] == 6
    assert row["points_last_1"] == 30
    assert row["points_last_5"] == pytest.approx((20 + 12 + 18 + 15 + 30) / 5)
    assert row["points_last_10"] == row["points_season"] == pytest.approx(sum(scored) / 6)
    weights = [0.5 ** (age / 8) for age in (5, 4, 3, 2, 1, 0)]
    ewm = sum(w * p for w, p in zip(weights, scored, strict=True)) / sum(weights)
    assert row["points_ewm"] == pytest.approx(ewm)
    assert row["minutes_last_5"] == pytest.approx(23.0)
    assert row["minutes_trend"] == pytest.approx(24.0 - 22.5)
    assert row["days_since_last"] == 1
    assert row["rest_days"] == 0
    assert row["back_to_back"] == 1.0
    assert row["games_7_days"] == 4  # the 5th, 8th, 10th and 11th
    assert row["is_home"] == 1.0
    assert row["season_days"] == 11
    assert row["season_start"] == 0.0
    assert row["twos_ewm"] == pytest.approx(6.0)
    assert row["threes_ewm"] == pytest.approx(3.0)
    assert row["two_rate"] == pytest.approx(1.0)
    assert row["points_from_attempts"] == pytest.approx(6 * 1.0 + 2 * 1.5 + 2 * 0.5)


def test_season_features_start_again_in_a_new_season_and_career_features_do_not() -> None:
    history = pl.DataFrame([game(date(2024, 4, d)) for d in (1, 3, 5)])
    row = build_features(history, ask(date(2024, 10, 22))).row(0, named=True)
    assert row["games"] == 3
    assert row["games_season"] == 0
    assert row["points_season"] is None
    assert row["points_last_5"] == 10
    assert row["season_start"] == 1.0
    assert row["season_days"] == 0
    assert row["rest_days"] == 7  # capped: a summer is no rest
    assert row["days_since_last"] == 200


def test_an_opponent_that_concedes_much_is_above_average() -> None:
    rows = []
    for day in range(1, 11):
        when = date(2024, 1, day)
        rows.append(game(when, player_lookup="a", team="AAA", opponent="BBB", points=30, fgm=14))
        rows.append(game(when, player_lookup="b", team="BBB", opponent="AAA", points=10))
    history = pl.DataFrame(rows)
    weak = build_features(history, ask(date(2024, 1, 20), "a", opponent="BBB"))
    strong = build_features(history, ask(date(2024, 1, 20), "b", team="BBB", opponent="AAA"))
    # Ten games with 30 conceded and eight average games, relative to the league's 20.
    assert weak["opponent_points_allowed"][0] == pytest.approx((10 * 30 + 8 * 20) / 18 / 20)
    assert strong["opponent_points_allowed"][0] == pytest.approx((10 * 10 + 8 * 20) / 18 / 20)
    assert weak["opponent_twos_allowed"][0] > 1 > strong["opponent_twos_allowed"][0]


def test_a_star_who_missed_the_last_game_lowers_the_line_up_features() -> None:
    rows = []
    for day in range(1, 13):
        when = date(2024, 1, day)
        rows.append(game(when, player_lookup="one", points=10))
        rows.append(game(when, player_lookup="foe", team="BBB", opponent="AAA", points=40))
        if day < 12:
            rows.append(game(when, player_lookup="star", points=30))
    row = build_features(pl.DataFrame(rows), ask(date(2024, 1, 13))).row(0, named=True)
    assert row["lineup_points_last"] == pytest.approx(10 / 39.2, rel=0.02)
    assert row["lineup_points_10"] > 3 * row["lineup_points_last"]
    assert row["lineup_minutes_last"] == pytest.approx(30)


def test_a_star_who_is_reported_absent_lowers_tonights_line_up_features() -> None:
    rows = []
    for day in range(1, 13):
        when = date(2024, 1, day)
        rows.append(game(when, player_lookup="one", points=10))
        rows.append(game(when, player_lookup="star", points=30))
        rows.append(game(when, player_lookup="foe", team="BBB", opponent="AAA", points=40))
    rows.append(game(date(2024, 1, 1), player_lookup="gone", points=30))
    history = pl.DataFrame(rows)
    asked = pl.concat([ask(date(2024, 1, 13)), ask(date(2024, 1, 13), "foe", team="BBB")])
    with_all = build_features(history, asked)
    without = build_features(history, asked, {"star"})
    assert with_all["lineup_points_last"][0] == pytest.approx(40 / 41.25, rel=0.01)
    assert without["lineup_points_last"][0] == pytest.approx(10 / 41.25, rel=0.01)
    assert without["lineup_minutes_last"][0] == pytest.approx(30)
    # The usual line-up, the other team and all other features do not change.
    assert without[1].equals(with_all[1])
    same = pl.exclude("lineup_points_last", "lineup_minutes_last")
    assert without.select(same).equals(with_all.select(same))
    # Absent players who missed the last game anyway, or are unknown, change nothing.
    assert build_features(history, asked, {"gone", "unknown"}).equals(with_all)


def test_a_line_up_counts_usual_points_not_those_of_the_last_game() -> None:
    scored = [(date(2024, 1, d), 10) for d in (1, 2, 3)] + [(date(2024, 1, 4), 50)]
    rows = [game(day, points=points) for day, points in scored]
    rows += [game(day, player_lookup="foe", team="BBB", opponent="AAA") for day, _ in scored]
    row = build_features(pl.DataFrame(rows), ask(date(2024, 1, 5))).row(0, named=True)
    # The league's team points: seven games of 10 and one of 50.
    assert row["lineup_points_last"] == pytest.approx(10 / 15)
    assert row["lineup_points_10"] == pytest.approx((0 + 10 + 10 + 10) / 4 / 15)


def test_games_since_a_return_and_since_a_trade_are_counted() -> None:
    days = [date(2024, 1, d) for d in (1, 3, 5, 20, 22)]
    history = pl.DataFrame(
        [game(d, team="CCC" if d.day < 20 else "AAA") for d in days], schema_overrides=_SLATE
    )

    def at(day: date, **cells: str) -> dict[str, object]:
        slate = ask(day).with_columns(pl.lit(team).alias(name) for name, team in cells.items())
        return build_features(history, slate).row(0, named=True)

    # Two games since the pause from the 5th to the 20th, both with the current team.
    after = at(date(2024, 1, 24))
    assert (after["games_since_return"], after["games_with_team"]) == (2, 2)
    # The count is 0 in the first game after a pause or for a new team.
    assert at(date(2024, 2, 24))["games_since_return"] == 0
    assert at(date(2024, 1, 24), team="BBB", opponent="CCC")["games_with_team"] == 0
    # Back with an earlier team: the games before the player left do not count.
    assert at(date(2024, 1, 24), team="CCC", opponent="DDD")["games_with_team"] == 0
    trained = training_features(history)
    assert trained["games_since_return"].to_list() == [0, 1, 2, 0, 1]
    assert trained["games_with_team"].to_list() == [0, 1, 2, 0, 1]


def test_the_average_of_last_season_needs_enough_games() -> None:
    def row(games: int) -> dict[str, object]:
        before = [game(date(2024, 1, 1 + d), points=20, minutes=36.0) for d in range(games)]
        now = [game(date(2024, 10, 22 + d), points=8, minutes=18.0) for d in range(2)]
        history = pl.DataFrame(before + now)
        return build_features(history, ask(date(2024, 10, 25))).row(0, named=True)

    assert (row(10)["points_last_season"], row(10)["minutes_last_season"]) == (20, 36)
    assert row(9)["points_last_season"] is None


def test_the_margin_of_a_team_that_wins_by_much() -> None:
    rows = []
    for day in range(1, 11):
        when = date(2024, 1, day)
        rows.append(game(when, player_lookup="a", team="AAA", opponent="BBB", points=30))
        rows.append(game(when, player_lookup="b", team="BBB", opponent="AAA", points=10))
    found = build_features(pl.DataFrame(rows), ask(date(2024, 1, 20), "a")).row(0, named=True)
    # Ten games won by 20, and eight games of an average team.
    assert found["team_margin"] == pytest.approx(200 / 18)
    assert found["opponent_margin"] == pytest.approx(-200 / 18)


def test_unknown_values_are_null() -> None:
    unknown = ask(DATES[-1], "unknown", team=None, opponent=None, is_home=None)
    row = build_features(HISTORY, unknown).row(0, named=True)
    known = {"games", "games_season", "games_7_days", "season_days", "season_start"}
    known.add("games_since_return")
    assert {name for name in (*FEATURES, *SIMILAR) if row[name] is not None} == known
    assert row["games"] == 0


def test_empty_slates_and_empty_histories() -> None:
    none = build_features(HISTORY, slate_of(HISTORY, START - timedelta(days=1)))
    assert none.height == 0
    assert none.columns == COLUMNS
    unknown = build_features(HISTORY.clear(), slate_of(HISTORY, DATES[3]))
    assert unknown["games"].to_list() == [0.0] * unknown.height
    assert unknown["points_ewm"].null_count() == unknown.height
    assert training_features(HISTORY.clear()).height == 0


def test_all_features_are_float64() -> None:
    for frame in (
        build_features(HISTORY, slate_of(HISTORY, DATES[9])),
        build_features(HISTORY.clear(), slate_of(HISTORY, DATES[9])),
        training_features(HISTORY),
    ):
        assert {frame.schema[c] for c in (*FEATURES, *SIMILAR)} == {pl.Float64}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, len(DATES) - 1))
def test_training_and_the_night_have_equal_features(at: int) -> None:
    day = DATES[at]
    trained = training_features(HISTORY).filter(pl.col("game_date") == day).select(COLUMNS)
    asked = build_features(HISTORY.filter(pl.col("game_date") < day), slate_of(HISTORY, day))
    assert trained.equals(asked.sort(KEYS))


@settings(max_examples=12, deadline=None)
@given(
    st.integers(5, len(DATES) - 1), st.integers(0, 10**6), st.sampled_from(["drop", "alter", "add"])
)
def test_later_games_change_no_feature(at: int, seed: int, how: str) -> None:
    day = DATES[at]
    coming = pl.col("game_date") >= day
    past, future = HISTORY.filter(~coming), HISTORY.filter(coming)
    if how == "drop":
        other = future.sample(fraction=0.5, seed=seed)
    elif how == "alter":
        other = future.with_columns(
            points=pl.col("points") * 3 + 1, minutes=pl.lit(1.5), opponent=pl.col("team")
        )
    else:
        extra = future.with_columns(player_lookup=pl.lit("late") + pl.col("player_lookup"))
        other = pl.concat([future, extra])
    shifted = pl.concat([past, other])
    slate = slate_of(HISTORY, day)
    assert build_features(shifted, slate).equals(build_features(HISTORY, slate))

    # Likewise in training: rows before the date do not depend on games on or after it.
    def known(history: pl.DataFrame) -> pl.DataFrame:
        features = training_features(history).select(COLUMNS)
        return features.filter(pl.col("game_date") < day)

    assert known(shifted).equals(known(HISTORY))


def test_games_of_one_date_do_not_depend_on_each_other() -> None:
    by_date = HISTORY.group_by("game_date").agg(pl.col("game_id").n_unique()).sort("game_date")
    day = by_date.filter(pl.col("game_id") > 1)["game_date"][-1]
    other = pl.col("game_id") != slate_of(HISTORY, day)["game_id"][0]
    tonight = pl.col("game_date") == day
    changed = HISTORY.with_columns(
        points=pl.when(tonight & other).then(99).otherwise("points"),
        minutes=pl.when(tonight & other).then(1.0).otherwise("minutes"),
    )
    assert changed.filter(tonight & other).height > 0
    a, b = (training_features(h).filter(tonight).select(COLUMNS) for h in (HISTORY, changed))
    assert a.equals(b)


def test_rows_of_a_player_listed_twice_on_a_date_do_not_depend_on_each_other() -> None:
    day = DATES[20]
    once = slate_of(HISTORY, day)
    twice = pl.concat([once, once.with_columns(game_id=pl.lit("20990101_XX_YY"))])
    a, b = build_features(HISTORY, once), build_features(HISTORY, twice)
    assert b.head(once.height).equals(a)
    assert b.tail(once.height).drop("game_id").equals(a.drop("game_id"))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    shuffled = HISTORY.sample(fraction=1.0, shuffle=True, seed=seed)
    assert training_features(shuffled).equals(training_features(HISTORY))
    slate = slate_of(HISTORY, DATES[25]).sample(fraction=1.0, shuffle=True, seed=seed)
    features = build_features(shuffled, slate)
    assert features["player_lookup"].to_list() == slate["player_lookup"].to_list()


def test_a_player_alone_has_the_same_features_as_in_a_slate() -> None:
    slate = slate_of(HISTORY, DATES[-1])
    together = build_features(HISTORY, slate)
    for i in range(slate.height):
        assert build_features(HISTORY, slate[i]).equals(together[i])


def test_similar_games_are_computed_only_from_the_given_date_on() -> None:
    since = DATES[30]
    part = training_features(HISTORY, similar_since=since)
    assert part.filter(pl.col("game_date") < since)["similar_games"].null_count() == (
        part.filter(pl.col("game_date") < since).height
    )
    late = pl.col("game_date") >= since
    assert part.filter(late).equals(training_features(HISTORY).filter(late))


def test_a_slate_of_two_dates_is_refused() -> None:
    slate = pl.concat([slate_of(HISTORY, DATES[3]), slate_of(HISTORY, DATES[4])])
    with pytest.raises(ValueError, match="one game_date"):
        build_features(HISTORY, slate)


def test_a_missing_column_is_named() -> None:
    slate = slate_of(HISTORY, DATES[3])
    with pytest.raises(ValueError, match=r"history frame lacks the columns \['fga'\]"):
        build_features(HISTORY.drop("fga"), slate)
    with pytest.raises(ValueError, match=r"slate frame lacks the columns \['opponent'\]"):
        build_features(HISTORY, slate.drop("opponent"))
    with pytest.raises(ValueError, match=r"history frame lacks the columns \['points'\]"):
        training_features(HISTORY.drop("points"))


def test_a_game_date_with_a_time_is_refused() -> None:
    slate = slate_of(HISTORY, DATES[3]).with_columns(pl.col("game_date").cast(pl.Datetime("us")))
    with pytest.raises(ValueError, match=r"game_date of the slate frame is Datetime"):
        build_features(HISTORY, slate)


@pytest.mark.real_data
def test_training_and_the_night_have_equal_features_on_real_games(real_data_dir: Path) -> None:
    from nba_predictions.inputs.files import FilesSource

    day = date(2024, 1, 26)
    history = FilesSource(real_data_dir).game_logs(day + timedelta(days=1))
    trained = training_features(history).filter(pl.col("game_date") == day)
    asked = build_features(history, slate_of(history, day)).sort(KEYS)
    assert trained.height > 100
    assert trained.select(COLUMNS).equals(asked)
    # Doncic scored 73 that night. No feature contains it: the best game before was 60.
    doncic = asked.filter(pl.col("player_lookup") == "lukadoncic").row(0, named=True)
    assert 30 < doncic["points_ewm"] < 40


def test_a_second_market_adds_its_own_features_and_changes_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slate = slate_of(HISTORY, DATES[-1])
    asked, trained = build_features(HISTORY, slate), training_features(HISTORY)
    assert market_features() == ()
    register(monkeypatch)
    added = market_features()
    assert {f"rebounds_{s}" for s in ("ewm", "last_5", "season", "sd_season")} < set(added)
    for before, after, outcomes in (
        (asked, build_features(HISTORY, slate), []),
        (trained, training_features(HISTORY), ["rebounds"]),
    ):
        assert set(after.columns) == {*before.columns, *added, *outcomes}
        assert after.select(before.columns).equals(before)


def test_form_of_a_second_market_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    counts = {1: (1, 4), 2: (2, 8), 3: (0, 6)}
    history = pl.DataFrame(
        [game(date(2024, 1, d), oreb=o, dreb=r, minutes=20.0) for d, (o, r) in counts.items()]
    )
    row = build_features(history, ask(date(2024, 1, 4))).row(0, named=True)
    assert row["rebounds_last_1"] == 6.0
    assert row["rebounds_season"] == row["rebounds_last_5"] == pytest.approx(7.0)
    assert row["rebounds_sd_season"] == pytest.approx(7.0**0.5)
    assert row["rebounds_last_season"] is None
    # Weighted averages exceed the lowest and stay below the highest game.
    assert 5.0 < row["rebounds_ewm"] < 10.0
    assert row["rebounds_per_minute"] == pytest.approx(row["rebounds_ewm_slow"] / 20)
    # The outcome is known of past games only.
    trained = training_features(history)
    assert trained["rebounds"].to_list() == [5, 10, 6]
    assert trained["rebounds_last_1"].to_list() == [None, 5.0, 10.0]


def test_opponents_that_concede_more_rebounds_are_above_average(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch)
    days = [date(2024, 1, d) for d in range(1, 20)]
    history = pl.DataFrame(
        row
        for day in days
        for row in (
            game(day, player_lookup="a", oreb=3, dreb=9),
            game(day, player_lookup="b", team="BBB", opponent="AAA", oreb=1, dreb=3),
        )
    )
    row = build_features(history, ask(date(2024, 1, 20), "a")).row(0, named=True)
    assert row["opponent_rebounds_allowed"] > 1.2
    assert row["opponent_points_allowed"] == pytest.approx(1.0)


def test_a_statistic_whose_features_exist_already_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threes = Market("threes", "threes", sum_of=("fg3m",))
    monkeypatch.setattr(markets, "MARKETS", (threes,))
    with pytest.raises(ValueError, match=r"'threes_ewm'.* exist already.*another name"):
        training_features(HISTORY)


def test_a_history_without_the_columns_of_a_market_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch)
    assert REBOUNDS.columns == ("oreb", "dreb")
    with pytest.raises(ValueError, match=r"lacks the columns \['dreb'\]"):
        training_features(HISTORY.drop("dreb"))
