"""The books: one key per book, whatever the spelling, and whether it is a fantasy operator."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPORTSBOOK, DFS = "sportsbook", "dfs"

_NOT_KEY = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True)
class Book:
    """A sportsbook, or a fantasy operator (`kind` "dfs").

    A fantasy operator quotes a threshold that is part of a slip, and not a line with a price.
    """

    key: str
    name: str
    kind: str = SPORTSBOOK
    aliases: tuple[str, ...] = ()


#: Aliases are reduced to letters and digits. The name and the key need not be repeated there, nor
#: either of them followed by "sportsbook".
BOOKS: tuple[Book, ...] = (
    Book("draftkings", "DraftKings", aliases=("dk", "draftkingsus")),
    Book("fanduel", "FanDuel", aliases=("fd", "fanduelus")),
    Book("betmgm", "BetMGM", aliases=("mgm", "betmgmus")),
    Book("caesars", "Caesars", aliases=("williamhillus", "williamhill", "czr")),
    Book("betrivers", "BetRivers", aliases=("rivers", "sugarhouse")),
    Book("espnbet", "ESPN BET", aliases=("espn", "thescorebet", "scorebet", "barstool")),
    Book("fanatics", "Fanatics"),
    Book("bet365", "bet365", aliases=("bet365us",)),
    Book("hardrockbet", "Hard Rock Bet", aliases=("hardrock", "hardrockbetaz", "hardrockbetfl")),
    Book("ballybet", "Bally Bet", aliases=("bally",)),
    Book("betparx", "betPARX", aliases=("parx",)),
    Book("fliff", "Fliff"),
    Book("pinnacle", "Pinnacle", aliases=("pinny",)),
    Book("circa", "Circa", aliases=("circasports",)),
    Book("bovada", "Bovada"),
    Book("betonlineag", "BetOnline.ag", aliases=("betonline",)),
    Book("lowvig", "LowVig.ag", aliases=("lowvigag",)),
    Book("mybookieag", "MyBookie.ag", aliases=("mybookie",)),
    Book("betus", "BetUS"),
    Book("pointsbet", "PointsBet", aliases=("pointsbetus",)),
    Book("unibet", "Unibet", aliases=("unibetus",)),
    Book("wynnbet", "WynnBET", aliases=("wynn",)),
    Book("superbook", "SuperBook"),
    Book("tipico", "Tipico", aliases=("tipicous",)),
    Book("twinspires", "TwinSpires"),
    Book("sisportsbook", "SI Sportsbook", aliases=("si",)),
    Book("windcreek", "Wind Creek"),
    Book("rebet", "Rebet"),
    Book("novig", "Novig"),
    Book("prophetx", "ProphetX", aliases=("prophet", "prophetexchange")),
    Book("prizepicks", "PrizePicks", DFS, ("pp",)),
    Book("underdog", "Underdog", DFS, ("underdogfantasy", "ud")),
    Book("sleeper", "Sleeper", DFS, ("sleeperfantasy", "sleeperpicks")),
    Book("pick6", "DraftKings Pick6", DFS, ("dkpick6",)),
    Book("betr", "Betr", DFS, ("betrpicks", "betrus", "betrusdfs", "betrdfs")),
    Book("dabble", "Dabble", DFS, ("dabbleus", "dabblefantasy", "dabbleau")),
    Book("parlayplay", "ParlayPlay", DFS),
    Book("chalkboard", "Chalkboard", DFS),
    Book("boom", "Boom Fantasy", DFS, ("boomfantasy",)),
    Book("hotstreak", "HotStreak", DFS),
    Book("thrivefantasy", "ThriveFantasy", DFS, ("thrive",)),
    Book("vividpicks", "Vivid Picks", DFS, ("vivid",)),
    Book("ownersbox", "OwnersBox", DFS),
)


def book_named(spelling: str) -> Book:
    """Return the book of a spelling. An unregistered one is a sportsbook of its own.

    >>> [book_named(s).key for s in ("DraftKings", "draft_kings", "DK", "williamhill_us")]
    ['draftkings', 'draftkings', 'draftkings', 'caesars']
    >>> book_named("My Local Book").key, book_named("DraftKings Pick6").kind
    ('mylocalbook', 'dfs')

    Raises:
        ValueError: the spelling has no letter or digit.
    """
    reduced = _reduced(spelling)
    if not reduced:
        raise ValueError(f"book name {spelling!r} has no letter or digit to make a key of")
    for key in (reduced, reduced.removesuffix("sportsbook")):
        if key in _BY_SPELLING:
            return _BY_SPELLING[key]
    return Book(reduced.removesuffix("sportsbook") or reduced, spelling.strip())


def _reduced(spelling: str) -> str:
    return _NOT_KEY.sub("", spelling.lower())


_BY_SPELLING = {
    _reduced(spelling): book for book in BOOKS for spelling in (book.key, book.name, *book.aliases)
}
