"""Names of players: one normalized key, and the few names that books and box scores disagree on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

# Letters that Unicode does not decompose into a plain letter and an accent.
_UNDECOMPOSED = str.maketrans(
    {
        **{"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"},
        **{"\u0131": "i", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"},
        **{"þ": "th", "Þ": "TH"},
    }
)
_NOT_KEY = re.compile(r"[^a-z0-9]")
_SUFFIXES = ("iii", "jr", "sr", "ii", "iv", "v")

# Nicknames and given names under which books and box scores list the same man. Spelling
# differences that the key already removes (accents, dots, hyphens) and generational suffixes
# do not belong here.
_SAME_PLAYER: tuple[frozenset[str], ...] = (
    frozenset({"nicclaxton", "nicolasclaxton"}),
    frozenset({"bubcarrington", "carltoncarrington"}),
    frozenset({"herbertjones", "herbjones"}),
    frozenset({"vincewilliams", "vincentwilliams"}),
    frozenset({"brandonboston", "bjboston"}),
    frozenset({"jayhuff", "jameshuff"}),
    frozenset({"ronholland", "ronaldholland"}),
    frozenset({"moewagner", "moritzwagner"}),
    frozenset({"cameronthomas", "camthomas"}),
    frozenset({"camjohnson", "cameronjohnson"}),
    frozenset({"alexsarr", "alexandresarr"}),
    frozenset({"gregoryjackson", "ggjackson"}),
)


@lru_cache(maxsize=1 << 14)
def player_lookup(name: str) -> str:
    """Return the normalized key of a player's name: lower-case a-z and digits only.

    A name in the form `Last, First` has the key of `First Last`.

    >>> [player_lookup(name) for name in ("Luka Dončić", "Jaren Jackson Jr.", "P.J. Tucker")]
    ['lukadoncic', 'jarenjacksonjr', 'pjtucker']
    >>> [player_lookup(name) for name in ("Jackson Jr., Jaren", "Jackson, Jaren, Jr.")]
    ['jarenjacksonjr', 'jarenjacksonjr']

    Raises:
        ValueError: nothing is left of the name.
    """
    key = _key(_given_name_first(name) if "," in name else name)
    if not key:
        raise ValueError(f"player name {name!r} has no letter or digit to make a key of")
    return key


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED))
    return _NOT_KEY.sub("", plain.encode("ascii", "ignore").decode().lower())


def _given_name_first(name: str) -> str:
    """Return `First Last Jr.` for `Last Jr., First`, `Last, First Jr.` or `First Last, Jr.`."""
    last, *rest = name.split(",")
    words = [word for part in rest for word in part.split()]
    given = [word for word in words if _key(word) not in _SUFFIXES]
    suffixes = [word for word in words if _key(word) in _SUFFIXES]
    return " ".join([*given, last, *suffixes])


@dataclass(frozen=True)
class PlayerNames:
    """The keys of a player's names.

    Attributes:
        player_lookup: the key that identifies the player.
        current: the key of the latest name. It differs from `player_lookup` if two players have
            the same name.
        former: the keys of all earlier names.
    """

    player_lookup: str
    current: str
    former: frozenset[str] = frozenset()


def names_in(game_logs: pl.DataFrame) -> list[PlayerNames]:
    """Return the names of all players in `game_logs` (player_lookup, player_name, game_date)."""
    names = (
        game_logs.lazy()
        .group_by("player_lookup", "player_name")
        .agg(pl.col("game_date").max())
        .sort("player_lookup", "game_date", "player_name")
        .group_by("player_lookup", maintain_order=True)
        .agg("player_name")
        .collect()
    )
    players = []
    for lookup, printed in names.iter_rows():
        *former, current = (player_lookup(name) for name in printed)
        players.append(PlayerNames(lookup, current, frozenset(former) - {current}))
    return players


@dataclass(frozen=True)
class Resolution:
    """The players that a name may stand for: none, one, or several if it is ambiguous."""

    candidates: tuple[str, ...] = ()

    @property
    def player_lookup(self) -> str | None:
        """The key of the player, None unless there is exactly one candidate."""
        return self.candidates[0] if len(self.candidates) == 1 else None


class NameIndex:
    """The players of the box scores, by all names under which other inputs may list them."""

    def __init__(self, players: Iterable[PlayerNames]) -> None:
        self._current: dict[str, set[str]] = {}
        self._any: dict[str, set[str]] = {}
        self._without_suffix: dict[str, set[str]] = {}
        for player in players:
            self._current.setdefault(player.current, set()).add(player.player_lookup)
            for key in {player.current, player.player_lookup} | player.former:
                self._any.setdefault(key, set()).add(player.player_lookup)
                base = _without_suffix(key)
                self._without_suffix.setdefault(base, set()).add(player.player_lookup)

    def resolve(self, name: str, *pools: Collection[str]) -> Resolution:
        """Find the players that another input calls `name`, a key made by `player_lookup`.

        The first of the `pools` (keys of players) that has a candidate decides, and then the whole
        league. Within a pool these are tried in order: the latest name, a former name, a nickname,
        and any of them with a generational suffix added or taken away.
        """
        names = {name, _without_suffix(name)}
        for group in _SAME_PLAYER:
            if names & group:
                names |= group
        steps = (
            self._current.get(name, set()),
            self._any.get(name, set()),
            set().union(*(self._any.get(n, ()) for n in names)),
            set().union(*(self._without_suffix.get(n, ()) for n in names)),
        )
        for pool in (*pools, None):
            for found in steps:
                hits = found if pool is None else found.intersection(pool)
                if hits:
                    return Resolution(tuple(sorted(hits)))
        return Resolution()


def _without_suffix(lookup: str) -> str:
    for suffix in _SUFFIXES:
        # "v" and "iv" also end ordinary names; a key must stay long enough to be a full name.
        if lookup.endswith(suffix) and len(lookup) - len(suffix) >= 6:
            return lookup[: -len(suffix)]
    return lookup
