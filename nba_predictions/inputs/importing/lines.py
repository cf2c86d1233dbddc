"""What the formats of lines share: the names of markets, and the sides of a projection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from nba_predictions.inputs.importing.tables import Row
from nba_predictions.inputs.importing.values import slug

OVER, UNDER = "Over", "Under"

#: The name of a market as the input files write it, by the labels of fantasy operators. A label is
#: reduced to letters and digits. Labels of a part of a game are other markets.
_MARKETS: Final = {
    **dict.fromkeys(("points", "pts", "playerpoints"), "player_points"),
    **dict.fromkeys(("rebounds", "rebs", "reb", "playerrebounds"), "player_rebounds"),
    **dict.fromkeys(("assists", "asts", "ast", "playerassists"), "player_assists"),
    **dict.fromkeys(
        ("3ptmade", "3pointersmade", "threepointsmade", "threepointersmade", "threes"),
        "player_threes",
    ),
    **dict.fromkeys(("steals", "stls"), "player_steals"),
    **dict.fromkeys(("blocks", "blockedshots", "blks"), "player_blocks"),
    **dict.fromkeys(("turnovers", "tovs"), "player_turnovers"),
    **dict.fromkeys(
        ("ptsrebsasts", "pointsreboundsassists", "pra"), "player_points_rebounds_assists"
    ),
    **dict.fromkeys(("ptsrebs", "pointsrebounds"), "player_points_rebounds"),
    **dict.fromkeys(("ptsasts", "pointsassists"), "player_points_assists"),
    **dict.fromkeys(("rebsasts", "reboundsassists"), "player_rebounds_assists"),
    **dict.fromkeys(("blksstls", "blocksteals", "stealsblocks"), "player_blocks_steals"),
}
#: Kinds of projections that can only be taken Over.
_OVER_ONLY: Final = ("demon", "goblin")


def market_name(label: str) -> str:
    """Return the name of a market; an unknown label keeps its words after `player_`."""
    if label.startswith("player_"):
        return label
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in label.lower()).split()
    return _MARKETS.get(slug(label), f"player_{'_'.join(words)}")


def line_kind(label: str | None) -> str | None:
    """Return the kind of a projection: `standard`, `demon`, `goblin`, or another in lower case."""
    if label is None:
        return None
    return next((kind for kind in _OVER_ONLY if kind in label.lower()), label.lower())


def is_over_only(kind: str | None) -> bool:
    """Return whether a projection of this kind can only be taken Over."""
    return kind in _OVER_ONLY


def sides_of(kind: str | None) -> tuple[str, ...]:
    """Return the sides on which a projection of this kind can be taken."""
    return (OVER,) if is_over_only(kind) else (OVER, UNDER)


def both(shared: dict[str, Any], sides: Iterable[str]) -> list[Row]:
    """Return one row per side, without a price."""
    return [{**shared, "side": side, "price": None} for side in sides]
