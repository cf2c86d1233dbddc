from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.betting.lines import LinePrice, implied_probability
from nba_predictions.domain.betting.predictions import (
    MIN_EDGE,
    STANDARD_PRICE,
    PlayerForecast,
    prediction_rows,
    recommend,
)
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions_tests.examples import NOON, SYSTEMS, even_chances, rows_of, slate_player

WORTH = implied_probability(STANDARD_PRICE) + MIN_EDGE
LINE = Decimal("22.5")


def test_a_player_with_a_line_has_one_row_per_system_and_tested_line() -> None:
    rows = rows_of(slate_player())
    assert len(rows) == 25
    assert {(r["system_id"], r["points_line"]) for r in rows} == {
        (system, Decimal(f"{line}.5")) for system in SYSTEMS for line in range(20, 25)
    }
    assert len({r["prediction_id"] for r in rows}) == 25


def test_a_player_without_a_line_has_one_row_per_system() -> None:
    rows = rows_of(slate_player(base=None))
    assert len(rows) == 5
    for row in rows:
        assert (row["points_line"], row["base_line"]) == (None, None)
        assert (row["over_probability"], row["push_probability"]) == (None, None)
        assert (row["recommendation"], row["line_source"], row["books"]) == ("NO_LINE", "none", 0)
        assert row["predicted_points"] == Decimal("21.37")


def test_each_row_carries_the_chances_of_its_own_line() -> None:
    # Not those of one line for all five: every line is asked for, and answered, by itself.
    def chances(mean: float, spread: float, lines: list[float]) -> list[tuple[float, float]]:
        return [(1 - line / 50, line / 1000) for line in lines]

    rows = prediction_rows(
        slate_player(),
        [PlayerForecast("ensemble", "1", "points", 20.0, 6.0, 0.5)],
        chances,
        batch_id="b",
        features_as_of=None,
        staged_at=NOON,
    )
    for row in rows:
        line = float(row["points_line"])
        assert row["over_probability"] == 1 - line / 50
        assert row["push_probability"] == line / 1000


def test_too_few_answers_of_a_system_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        prediction_rows(
            slate_player(),
            [PlayerForecast("ensemble", "1", "points", 20.0, 6.0, 0.5)],
            lambda mean, spread, lines: even_chances(mean, spread, lines)[1:],
            batch_id="b",
            features_as_of=None,
            staged_at=NOON,
        )


@settings(max_examples=100)
@given(
    st.floats(0, 200),
    st.floats(0, 1),
    st.none() | st.integers(0, 120).map(lambda n: str(Decimal(n) / 2)),
)
def test_every_row_fits_the_table(mean: float, confidence: float, base: str | None) -> None:
    rows = prediction_rows(
        slate_player(base=base),
        [PlayerForecast(s, "1", "points", mean, 5.0, confidence) for s in SYSTEMS],
        even_chances,
        batch_id="b",
        features_as_of=NOON,
        staged_at=NOON,
    )
    PREDICTIONS.check_rows(rows)
    assert len(rows) == (5 if base is None else 25)
    assert abs(float(rows[0]["predicted_points"]) - mean) <= 0.005 + 1e-9


@pytest.mark.parametrize(
    ("over", "push", "call"),
    [
        (WORTH, 0.0, "OVER"),
        (WORTH - 0.001, 0.0, "PASS"),
        (0.5, 0.0, "PASS"),
        (1 - WORTH + 0.001, 0.0, "PASS"),
        (1 - WORTH - 1e-9, 0.0, "UNDER"),
        (1.0, 0.0, "OVER"),
        (0.0, 0.0, "UNDER"),
        # 50% over, 10% push, 40% under: of the decided ones 55.6% are over.
        (0.5, 0.1, "OVER"),
        (0.4, 0.1, "UNDER"),
        (0.45, 0.1, "PASS"),
        (0.0, 1.0, "PASS"),
    ],
)
def test_a_side_is_called_where_it_is_worth_its_price(over: float, push: float, call: str) -> None:
    assert recommend(LINE, over, push) == call


@pytest.mark.parametrize(
    ("over", "over_price", "under_price", "call"),
    [
        (0.53, None, None, "PASS"),  # the standard price wants 53.4%
        (0.53, 100, -120, "OVER"),  # even money wants 51%
        (0.60, -150, 130, "PASS"),  # what is likely is dear: -150 wants 61%
        (0.62, -150, 130, "OVER"),
        (0.50, None, 120, "UNDER"),
        (0.42, -110, -137, "PASS"),
        # Two books far apart: the side with the larger edge.
        (0.50, 120, 140, "UNDER"),
    ],
)
def test_a_side_is_judged_at_the_price_that_is_quoted(
    over: float, over_price: int | None, under_price: int | None, call: str
) -> None:
    assert recommend(LINE, over, 0.0, (over_price, under_price)) == call


@pytest.mark.parametrize(
    ("over", "market_over", "call"),
    [
        (0.62, 0.62, "PASS"),  # two points below the base line an over is likely, and dear
        (0.64, 0.62, "PASS"),
        (0.66, 0.62, "OVER"),
        (0.57, 0.62, "UNDER"),
        (0.36, 0.38, "PASS"),
    ],
)
def test_at_a_line_that_nobody_quotes_the_books_would_ask_what_they_believe(
    over: float, market_over: float, call: str
) -> None:
    assert recommend(LINE, over, 0.0, market_over=market_over) == call
    # A quoted price stands, whatever the market may believe.
    assert recommend(LINE, over, 0.0, (300, None), market_over) == "OVER"


def test_who_says_what_the_books_say_calls_nothing_at_any_line() -> None:
    def chances(mean: float, spread: float, lines: list[float]) -> list[tuple[float, float]]:
        return [(0.5 + (mean - line) / 20, 0.0) for line in lines]

    def calls(market_mean: float) -> list[str]:
        rows = prediction_rows(
            slate_player(),
            [PlayerForecast("e", "1", "points", 28.0, 6.0, 0.5, 22.5, 6.0, market_mean)],
            chances,
            batch_id="b",
            features_as_of=None,
            staged_at=NOON,
        )
        return [row["recommendation"] for row in rows]

    assert calls(22.5) == ["PASS"] * 5
    assert calls(21.0) == ["OVER"] * 5
    assert calls(24.0) == ["UNDER"] * 5


def test_each_line_is_judged_at_its_own_price() -> None:
    prices = (LinePrice(Decimal("22.5"), over=200, under=-300),)
    rows = rows_of(slate_player(prices=prices), systems=["ensemble"])  # even chances all over
    calls = {float(r["points_line"]): r["recommendation"] for r in rows}
    assert calls == {20.5: "PASS", 21.5: "PASS", 22.5: "OVER", 23.5: "PASS", 24.5: "PASS"}


def test_chances_are_those_of_the_distribution_that_knows_the_line() -> None:
    asked: list[tuple[float, float]] = []

    def chances(mean: float, spread: float, lines: list[float]) -> list[tuple[float, float]]:
        asked.append((mean, spread))
        return even_chances(mean, spread, lines)

    rows = prediction_rows(
        slate_player(),
        [
            PlayerForecast(
                "ensemble", "1", "points", 20.0, 6.0, 0.5, line_mean=22.1, line_spread=6.3
            ),
            PlayerForecast("similarity", "1", "points", 20.0, 6.0, 0.5),
        ],
        chances,
        batch_id="b",
        features_as_of=None,
        staged_at=NOON,
    )
    assert asked == [(22.1, 6.3), (20.0, 6.0)]
    assert {row["predicted_points"] for row in rows} == {Decimal("20.00")}


@pytest.mark.parametrize("line", ["0.0", "-0.5", "-1.5"])
def test_nobody_takes_bets_on_a_line_of_zero_or_less(line: str) -> None:
    assert recommend(Decimal(line), 1.0, 0.0) == "PASS"


def test_without_a_line_there_is_no_call() -> None:
    assert recommend(None, None, None) == "NO_LINE"


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_chance_of_an_over_never_turns_the_call_to_the_under(a: float, b: float) -> None:
    order = ["UNDER", "PASS", "OVER"]
    low, high = sorted((a, b))
    assert order.index(recommend(LINE, low, 0.0)) <= order.index(recommend(LINE, high, 0.0))
