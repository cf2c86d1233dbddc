"""Names of players: one normalized key, and the few names that books and box scores disagree on."""

import re
import unicodedata
from collections.abc import Collection

# Letters that Unicode does not decompose into a plain letter and an accent.
_UNDECOMPOSED = str.maketrans(
    {
        **{"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"},
        **{"\u0131": "i", "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"},
        **{"þ": "th", "Þ": "TH"},
    }
)
_NOT_KEY = re.compile(r"[^a-z0-9]")
_SUFFIXES = ("jr", "sr", "ii", "iii", "iv", "v")

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


def player_lookup(name: str) -> str:
    """Return the normalized key of a player's name: lower-case a-z and digits only.

    >>> [player_lookup(name) for name in ("Luka Dončić", "Jaren Jackson Jr.", "P.J. Tucker")]
    ['lukadoncic', 'jarenjacksonjr', 'pjtucker']

    Raises:
        ValueError: nothing is left of the name.
    """
    plain = unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED))
    key = _NOT_KEY.sub("", plain.encode("ascii", "ignore").decode().lower())
    if not key:
        raise ValueError(f"player name {name!r} has no letter or digit to make a key of")
    return key


def resolve_lookup(lookup: str, known: Collection[str]) -> str | None:
    """Find the player that a book calls `lookup` among `known`, the keys from the box scores.

    Tried in this order: the key itself, a nickname, then either with a generational suffix
    added or taken away. A guess that fits two known players does not match.
    """
    if lookup in known:
        return lookup
    base = _without_suffix(lookup)
    names = {lookup, base}
    for group in _SAME_PLAYER:
        if names & group:
            names |= group
    exact = names & set(known)
    if len(exact) == 1:
        return exact.pop()
    close = {k for k in known if _without_suffix(k) in names}
    return close.pop() if len(close) == 1 else None


def _without_suffix(lookup: str) -> str:
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        # "v" and "iv" also end ordinary names; a key must stay long enough to be a full name.
        if lookup.endswith(suffix) and len(lookup) - len(suffix) >= 6:
            return lookup[: -len(suffix)]
    return lookup
