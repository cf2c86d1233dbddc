from decimal import Decimal
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.betting import lines
from nba_predictions.domain.betting.lines import (
    LinePrice,
    Quote,
    base_line,
    fair_over,
    implied_probability,
    main_line,
)
from nba_predictions.domain.market import POINTS, Market

D = Decimal


def said(quoted: list[Quote]) -> tuple[Decimal, str, int]:
    """Line, source and number of books of a base line."""
    base = base_line(quoted, POINTS)
    assert base is not None
    return base.line, base.line_source, base.books


def quotes(
    line: str,
    over: int | None = -110,
    under: int | None = -110,
    book: str = "book",
    source: str = "sportsbook",
) -> list[Quote]:
    """Both sides of one line of one book."""
    return [
        Quote(book, "Over", D(line), over, source),
        Quote(book, "Under", D(line), under, source),
    ]


@pytest.mark.parametrize(
    ("price", "probability"),
    [(-110, 110 / 210), (-137, 137 / 237), (100, 0.5), (-100, 0.5), (150, 0.4), (-300, 0.75)],
)
def test_american_odds_as_probability(price: int, probability: float) -> None:
    assert implied_probability(price) == pytest.approx(probability)


@pytest.mark.parametrize("price", [0, 99, -99])
def test_odds_between_minus_100_and_100_do_not_exist(price: int) -> None:
    with pytest.raises(ValueError, match=f"{price} is not an American price"):
        implied_probability(price)


@given(st.integers(100, 5000), st.integers(100, 5000))
def test_a_longer_price_means_a_smaller_chance(a: int, b: int) -> None:
    assert (a > b) == (implied_probability(a) < implied_probability(b))
    assert (a > b) == (implied_probability(-a) > implied_probability(-b))


def test_the_only_line_of_a_book_is_its_main_line() -> None:
    assert main_line(quotes("22.5")) == D("22.5")


def test_no_quote_no_main_line() -> None:
    assert main_line([]) is None


def test_the_main_line_is_the_one_with_the_most_even_prices() -> None:
    alternates = quotes("19.5", -260, 200) + quotes("22.5", -115, -105) + quotes("25.5", 190, -240)
    assert main_line(alternates) == D("22.5")


def test_a_line_quoted_on_one_side_ranks_behind_any_pair() -> None:
    one_sided = [Quote("book", "Over", D("21.5"), -110, "sportsbook")]
    assert main_line(one_sided + quotes("25.5", 500, -900)) == D("25.5")


def test_without_prices_the_middle_line_is_the_main_line() -> None:
    unpriced = [q for line in ("18.5", "22.5", "30.5") for q in quotes(line, None, None)]
    assert main_line(unpriced) == D("22.5")


def test_between_two_neighbors_of_the_middle_the_lower_is_the_main_line() -> None:
    unpriced = [q for line in ("20.5", "22.5") for q in quotes(line, None, None)]
    assert main_line(reversed(unpriced)) == D("20.5")


@pytest.mark.parametrize("side", ["Over", "Under"])
@pytest.mark.parametrize("lines", [("24.5",), ("9.5", "14.5", "19.5")])
def test_a_sportsbook_with_one_side_has_no_main_line(side: str, lines: tuple[str, ...]) -> None:
    ladder = [Quote("ladder", side, D(line), -250, "sportsbook") for line in lines]
    assert main_line(ladder) is None
    assert said([*ladder, *quotes("24.5")]) == (D("24.5"), "sportsbook", 1)
    assert base_line(ladder, POINTS) is None


def test_only_a_single_one_sided_line_of_a_fantasy_operator_is_its_main_line() -> None:
    over = [Quote("pick", "Over", D(line), None, "dfs") for line in ("14.5", "20.5")]
    assert main_line(over[:1]) == D("14.5")
    assert main_line(over) is None
    assert main_line([*over, Quote("pick", "Under", D("20.5"), None, "dfs")]) == D("20.5")


def test_fantasy_operators_count_if_the_sportsbooks_have_no_main_line() -> None:
    ladder = Quote("ladder", "Over", D("9.5"), -900, "sportsbook")
    dfs = quotes("20.5", book="pick", source="dfs")
    assert said([ladder, *dfs]) == (D("20.5"), "dfs", 1)


def test_nobody_quotes_no_line_is_invented() -> None:
    assert base_line([], POINTS) is None


@pytest.mark.parametrize(
    ("by_book", "base"),
    [
        (["22.5"], "22.5"),
        (["22.5", "23.5"], "23.0"),
        (["22.5", "23.0"], "22.5"),  # 22.75: from the middle to the half
        (["23.0", "23.5"], "23.5"),  # 23.25
        (["22.5", "23.5", "30.5"], "23.5"),
        (["22.5", "22.5", "23.0", "23.0"], "22.5"),
        (["0.5", "1.0"], "0.5"),
    ],
)
def test_the_base_line_is_the_median_over_books_on_the_half_point_grid(
    by_book: list[str], base: str
) -> None:
    books = [q for n, line in enumerate(by_book) for q in quotes(line, book=f"book{n}")]
    assert said(books) == (D(base), "sportsbook", len(by_book))


def test_a_book_with_many_alternates_has_one_vote() -> None:
    many = [q for n in range(15, 22) for q in quotes(f"{n}.5", -400, 300, book="many")]
    many += quotes("22.5", book="many")
    others = quotes("23.5", book="b") + quotes("24.5", book="c")
    assert said(many + others) == (D("23.5"), "sportsbook", 3)


def test_sportsbooks_speak_alone_where_there_are_any() -> None:
    dfs = quotes("20.5", book="pick", source="dfs") + quotes("20.5", book="pick2", source="dfs")
    assert said(dfs + quotes("23.5")) == (D("23.5"), "sportsbook", 1)
    assert said(dfs) == (D("20.5"), "dfs", 2)


@pytest.mark.parametrize(
    ("over", "under", "fair"),
    [(-110, -110, 0.5), (-137, -137, 0.5), (100, 100, 0.5), (-150, 130, 0.6 / (0.6 + 100 / 230))],
)
def test_the_margin_is_taken_out_of_two_prices(over: int, under: int, fair: float) -> None:
    assert fair_over(over, under) == pytest.approx(fair)
    assert fair_over(under, over) == pytest.approx(1 - fair)


def test_the_fair_chance_is_the_median_over_books_that_have_both_prices_at_the_base_line() -> None:
    base = base_line(
        [
            *quotes("22.5", -130, 110, book="a"),
            *quotes("22.5", -120, 100, book="b"),
            *quotes("22.5", -110, -110, book="c"),
            *quotes("22.5", 150, None, book="d"),
            *quotes("22.5", -200, 160, book="fantasy", source="dfs"),
        ],
        POINTS,
    )
    assert base is not None
    assert base.fair_over == pytest.approx(fair_over(-120, 100), abs=1e-6)


@pytest.mark.parametrize(
    "quoted",
    [
        quotes("22.5", None, None),
        quotes("22.5", -110, None),
        # The base line is 23.0, where neither book has its line.
        quotes("22.5", -120, 100, book="a") + quotes("23.5", book="b"),
    ],
)
def test_without_two_prices_at_the_base_line_there_is_no_fair_chance(quoted: list[Quote]) -> None:
    base = base_line(quoted, POINTS)
    assert base is not None
    assert base.fair_over is None


def test_the_best_prices_of_the_tested_lines_are_kept() -> None:
    base = base_line(
        [
            *quotes("22.5", -115, -105, book="a"),
            *quotes("22.5", -105, -115, book="b"),
            *quotes("24.5", 180, None, book="b"),
            *quotes("22.5", 300, 300, book="fantasy", source="dfs"),  # sportsbooks speak alone
            *quotes("29.5", 900, -2000, book="a"),  # not tested
        ],
        POINTS,
    )
    assert base is not None
    assert base.prices == (
        LinePrice(D("22.5"), over=-105, under=-105),
        LinePrice(D("24.5"), over=180, under=None),
    )


def test_of_a_fantasy_operators_prices_only_that_of_the_base_line_is_one() -> None:
    base = base_line(
        [
            *quotes("22.5", -137, -137, book="pick", source="dfs"),
            *quotes("24.5", -137, None, book="pick", source="dfs"),
        ],
        POINTS,
    )
    assert base is not None
    assert base.prices == (LinePrice(D("22.5"), over=-137, under=-137),)


def test_tested_lines_lie_around_the_base_line() -> None:
    assert lines.tested_lines(D("22.5"), POINTS) == tuple(
        map(D, ("20.5", "21.5", "22.5", "23.5", "24.5"))
    )


def test_a_market_defines_its_own_tested_lines_and_their_prices() -> None:
    close = Market("steals", "stl", offsets=(D(0), D("0.5")))
    assert lines.tested_lines(D("1.5"), close) == (D("1.5"), D("2.0"))
    quoted = [*quotes("1.5"), *quotes("2.0", 200, -250), *quotes("2.5", 300, -400)]
    base = base_line(quoted, close)
    assert base is not None
    assert [price.line for price in base.prices] == [D("1.5"), D("2.0")]


def test_without_a_base_line_one_null_line_is_tested() -> None:
    assert lines.tested_lines(None, POINTS) == (None,)


_HALVES = st.integers(0, 120).map(lambda n: D(n) / 2)


@settings(max_examples=150)
@given(st.lists(_HALVES, min_size=1, max_size=9), st.randoms())
def test_a_base_line_lies_on_the_grid_next_to_the_median_in_any_order(
    by_book: list[Decimal], random: Random
) -> None:
    books = [q for n, line in enumerate(by_book) for q in quotes(str(line), book=f"b{n}")]
    shuffled = list(books)
    random.shuffle(shuffled)
    base = base_line(shuffled, POINTS)
    assert base is not None
    assert base == base_line(books, POINTS)
    assert base.line * 2 % 1 == 0
    assert base.line.as_tuple().exponent == -1
    assert min(by_book) <= base.line <= max(by_book)
    assert abs(base.line - D(median(by_book))) <= D("0.25")


@given(_HALVES)
def test_tested_lines_are_five_distinct_exact_lines(base: Decimal) -> None:
    tested = lines.tested_lines(base, POINTS)
    assert len(set(tested)) == 5
    assert tested[2] == base
    assert all(isinstance(line, Decimal) for line in tested)
