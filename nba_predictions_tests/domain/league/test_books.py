import doctest
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.league import books
from nba_predictions.domain.league.books import BOOKS, DFS, SPORTSBOOK, book_named


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(books)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("spelling", "key", "kind"),
    [
        ("draftkings", "draftkings", SPORTSBOOK),
        ("DraftKings", "draftkings", SPORTSBOOK),
        ("draft_kings", "draftkings", SPORTSBOOK),
        ("DraftKings Sportsbook", "draftkings", SPORTSBOOK),
        ("DK", "draftkings", SPORTSBOOK),
        ("williamhill_us", "caesars", SPORTSBOOK),
        ("Caesars Sportsbook", "caesars", SPORTSBOOK),
        ("BetMGM Sportsbook", "betmgm", SPORTSBOOK),
        ("SI Sportsbook", "sisportsbook", SPORTSBOOK),
        ("BetOnline.ag", "betonlineag", SPORTSBOOK),
        ("betr_us_dfs", "betr", DFS),
        ("DraftKings Pick6", "pick6", DFS),
        ("UNDERDOG FANTASY", "underdog", DFS),
        ("Prize Picks", "prizepicks", DFS),
    ],
)
def test_a_book_has_one_key_in_every_spelling(spelling: str, key: str, kind: str) -> None:
    book = book_named(spelling)
    assert (book.key, book.kind) == (key, kind)


def test_no_spelling_stands_for_two_books() -> None:
    for book in BOOKS:
        for spelling in (book.key, book.name, *book.aliases):
            assert book_named(spelling) is book
    keys = list(chain.from_iterable((b.key, *b.aliases) for b in BOOKS))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("spelling", ["", "???", " - "])
def test_a_spelling_without_a_key(spelling: str) -> None:
    with pytest.raises(ValueError, match="has no letter or digit"):
        book_named(spelling)


@given(st.text("abcXYZ019", min_size=1), st.lists(st.sampled_from(" _-."), max_size=3))
def test_two_spellings_of_an_unregistered_book_are_one(name: str, marks: list[str]) -> None:
    book = book_named(name)
    assert book_named("".join(marks).join((name.upper(), ""))).key == book.key
    assert book_named(f"{name} Sportsbook").key == book.key
    assert book_named(book.key).key == book.key
