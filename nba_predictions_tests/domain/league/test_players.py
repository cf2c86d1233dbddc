import doctest
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.league import players
from nba_predictions.domain.league.players import NameIndex, PlayerNames, names_in, player_lookup


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


def index(*known: str, **former: str) -> NameIndex:
    """Return an index of players, with a former name of some of them."""
    return NameIndex(
        PlayerNames(lookup, lookup, frozenset({former[lookup]} if lookup in former else ()))
        for lookup in known
    )


def resolved(name: str, *known: str) -> str | None:
    return index(*known).resolve(name).player_lookup


KNOWN = (
    "nicolasclaxton",
    "brandonbostonjr",
    "garypaytonii",
    "jarenjacksonjr",
    "paulgeorge",
    "jayhuff",
    "robertwilliamsiii",
)


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
    assert resolved(book, *KNOWN) == box_score


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("Lalson, Arlo", "Arlo Lalson"),
        ("Lalson Jr., Arlo", "Arlo Lalson Jr."),
        ("Lalson, Arlo Jr.", "Arlo Lalson Jr."),
        ("Lalson, Arlo, Jr.", "Arlo Lalson Jr."),
        ("Arlo Lalson, Jr.", "Arlo Lalson Jr."),
        ("Van Lalson III, Arlo B.", "Arlo B. Van Lalson III"),
        ("Lalson,Arlo", "Arlo Lalson"),
    ],
)
def test_a_name_may_begin_with_the_last_name(printed: str, name: str) -> None:
    assert player_lookup(printed) == player_lookup(name)


def test_a_guess_that_fits_two_names_both() -> None:
    found = index("johnsmithjr", "johnsmithiii").resolve("johnsmith")
    assert found.player_lookup is None
    assert found.candidates == ("johnsmithiii", "johnsmithjr")


def test_the_name_itself_wins_over_a_suffix() -> None:
    assert resolved("johnsmith", "johnsmith", "johnsmithjr") == "johnsmith"
    assert resolved("johnsmithjr", "johnsmith", "johnsmithjr") == "johnsmithjr"


def test_a_former_name_is_found_unless_it_is_the_name_of_somebody_else() -> None:
    assert index("enesfreedom", enesfreedom="eneskanter").resolve("eneskanter").candidates == (
        "enesfreedom",
    )
    both = index("ronartest", "mettaworldpeace", mettaworldpeace="ronartest")
    assert both.resolve("ronartest").player_lookup == "ronartest"


def test_players_of_the_game_come_first_then_the_active_ones_then_all() -> None:
    known = index("garypayton", "garypaytonii", "stephencurry")
    assert known.resolve("garypayton", {"garypaytonii"}).player_lookup == "garypaytonii"
    assert known.resolve("garypayton", set(), {"garypaytonii"}).player_lookup == "garypaytonii"
    assert known.resolve("garypayton", {"stephencurry"}, set()).player_lookup == "garypayton"


def test_two_players_of_one_name_are_told_apart_by_their_game() -> None:
    same = NameIndex(
        PlayerNames(lookup, "chrisjohnson") for lookup in ("chrisjohnson", "chrisjohnson203187")
    )
    assert len(same.resolve("chrisjohnson").candidates) == 2
    in_game = same.resolve("chrisjohnson", {"chrisjohnson203187", "stephencurry"})
    assert in_game.player_lookup == "chrisjohnson203187"


def test_the_names_in_box_scores_are_the_latest_and_all_former_ones() -> None:
    logs = pl.DataFrame(
        {
            "player_lookup": ["arlolalsoniii"] * 3 + ["bennobosson"],
            "player_name": ["Arlo Lalson III", "Arlo Lalson", "Lalson III, Arlo", "Benno Bosson"],
            "game_date": [date(2025, 1, day) for day in (8, 4, 6, 4)],
        }
    )
    assert names_in(logs) == [
        PlayerNames("arlolalsoniii", "arlolalsoniii", frozenset({"arlolalson"})),
        PlayerNames("bennobosson", "bennobosson"),
    ]
    assert names_in(logs.clear()) == []


_lookups = _names.map(player_lookup)


@given(
    st.lists(_lookups, unique=True, max_size=8), _lookups, st.lists(st.sets(_lookups), max_size=2)
)
def test_resolve_gives_known_players_and_each_player_by_the_own_name(
    known: list[str], name: str, pools: list[set[str]]
) -> None:
    players = index(*known)
    found = players.resolve(name, *pools)
    assert set(found.candidates) <= set(known)
    assert (found.player_lookup is None) == (len(found.candidates) != 1)
    for lookup in known:
        assert players.resolve(lookup).candidates == (lookup,)
        assert players.resolve(lookup, {lookup}, *pools).candidates == (lookup,)
