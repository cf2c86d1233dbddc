import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.league import players
from nba_predictions.domain.league.players import player_lookup, resolve_lookup


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(players)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Paul George", "paulgeorge"),
        ("Luka Dončić", "lukadoncic"),
        ("Jaren Jackson Jr.", "jarenjacksonjr"),
        ("Shai Gilgeous-Alexander", "shaigilgeousalexander"),
        ("De'Aaron Fox", "deaaronfox"),
        ("Dāvis Bertāns", "davisbertans"),
        ("Nikola Đurišić", "nikoladurisic"),
        ("Ömer Aş\u0131k", "omerasik"),
        ("Jørgen Æble", "jorgenaeble"),
        ("O.G. Anunoby", "oganunoby"),
        ("  Nene  ", "nene"),
    ],
)
def test_key_of_a_name(name: str, key: str) -> None:
    assert player_lookup(name) == key


@pytest.mark.parametrize("name", ["", "   ", "...", "姚明"])
def test_name_without_a_key(name: str) -> None:
    with pytest.raises(ValueError, match="has no letter or digit"):
        player_lookup(name)


_names = st.text(
    alphabet="abcdefghijklmnopqrstuvwxyzčćđéøöüßæåñšž' .-ABCDEFGHIJKLMNOPQRSTUVWXYZÆØĐŁ",
    min_size=1,
).filter(lambda s: any(c.isalpha() for c in s))


@given(_names)
def test_key_is_stable_and_plain(name: str) -> None:
    key = player_lookup(name)
    assert key.isascii()
    assert key.isalnum()
    assert key == key.lower()
    assert player_lookup(key) == key
    assert player_lookup(name.upper()) == key


KNOWN = {
    "nicolasclaxton",
    "brandonbostonjr",
    "garypaytonii",
    "jarenjacksonjr",
    "paulgeorge",
    "jayhuff",
    "robertwilliamsiii",
}


@pytest.mark.parametrize(
    ("book", "box_score"),
    [
        ("paulgeorge", "paulgeorge"),
        ("nicclaxton", "nicolasclaxton"),
        ("bjboston", "brandonbostonjr"),
        ("jameshuff", "jayhuff"),
        ("garypayton", "garypaytonii"),
        ("jarenjackson", "jarenjacksonjr"),
        ("robertwilliams", "robertwilliamsiii"),
        ("paulgeorgeiii", "paulgeorge"),
        ("stephencurry", None),
    ],
)
def test_resolve(book: str, box_score: str | None) -> None:
    assert resolve_lookup(book, KNOWN) == box_score


def test_a_guess_that_fits_two_is_no_match() -> None:
    assert resolve_lookup("johnsmith", {"johnsmithjr", "johnsmithiii"}) is None


def test_the_name_itself_wins_over_a_suffix() -> None:
    assert resolve_lookup("johnsmith", {"johnsmith", "johnsmithjr"}) == "johnsmith"
    assert resolve_lookup("johnsmithjr", {"johnsmith", "johnsmithjr"}) == "johnsmithjr"


@given(st.lists(_names.map(player_lookup), unique=True, max_size=8), _names.map(player_lookup))
def test_resolve_gives_a_known_player_or_none(known: list[str], lookup: str) -> None:
    found = resolve_lookup(lookup, known)
    assert found is None or found in known
    assert all(resolve_lookup(k, known) == k for k in known)
