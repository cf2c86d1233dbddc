"""The base lines of past games, from which training learns what a line is worth."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

from nba_predictions.domain.betting.lines import Quote, base_line
from nba_predictions.domain.league.players import resolve_lookup
from nba_predictions.inputs.port import Lines
from nba_predictions.training.line_update_fit import PAST_LINES
from nba_predictions.training.train import held_out_since

#: Lines further back are not asked for: a season of them says what there is to be said, and each
#: date is a question to the source.
MOST_DAYS: Final = timedelta(days=180)


def past_lines(source: Lines, history: pl.DataFrame, cutoff: date) -> pl.DataFrame:
    """Return the base lines (PAST_LINES) of the games before `cutoff` that training looks at.

    Args:
        source: asked once for each date with games.
        history: GAME_LOGS rows; their names are those that lines are brought to.
        cutoff: first date that is not asked for.
    """
    since = max(held_out_since(history, cutoff), cutoff - MOST_DAYS)
    wanted = (pl.col("game_date") >= since) & (pl.col("game_date") < cutoff)
    dates = history.filter(wanted)["game_date"].unique().sort().to_list()
    names = set(history["player_lookup"].unique())
    known: dict[str, str | None] = {}
    found: list[tuple[date, str, float, float | None]] = []
    for day in dates:
        by_player: dict[str, list[Quote]] = {}
        for row in source.prop_lines(day).iter_rows(named=True):
            quoted = row["player_lookup"]
            if quoted not in known:
                known[quoted] = resolve_lookup(quoted, names)
            if (lookup := known[quoted]) is not None:
                by_player.setdefault(lookup, []).append(Quote.of(row))
        for lookup, quotes in by_player.items():
            base = base_line(quotes)
            if base is not None:
                found.append((day, lookup, float(base.line), base.fair_over))
    return pl.DataFrame(found, schema=PAST_LINES, orient="row")
