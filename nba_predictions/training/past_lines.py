"""Collect the base lines of past games, from which training learns what a line is worth."""

from datetime import date, timedelta
from typing import Final

import polars as pl

from nba_predictions.domain.betting.lines import Quote, base_line
from nba_predictions.domain.league.players import NameIndex, names_in
from nba_predictions.domain.market import market_named
from nba_predictions.inputs.port import Lines
from nba_predictions.training.cutoff import held_out_since

#: One row per player, market and date. `base_line` is in units of the market, and `fair_over` is
#: the no-vig probability of the over there, null if the prices do not show it.
PAST_LINES: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "game_date": pl.Date,
    "player_lookup": pl.String,
    "market": pl.String,
    "base_line": pl.Float64,
    "fair_over": pl.Float64,
}

#: Older lines are not read. The lines of a season are enough, and each date is one more query of
#: the source.
MOST_DAYS: Final = timedelta(days=180)


def past_lines(source: Lines, history: pl.DataFrame, cutoff: date) -> pl.DataFrame:
    """Return the base lines (PAST_LINES) of the held-out games before `cutoff`.

    The source is queried once for each date with games. The names in lines are resolved to the
    players in `history` (GAME_LOGS rows), first to those who played on the date.
    """
    since = max(held_out_since(history, cutoff), cutoff - MOST_DAYS)
    wanted = (pl.col("game_date") >= since) & (pl.col("game_date") < cutoff)
    played = history.filter(wanted).group_by("game_date").agg("player_lookup").sort("game_date")
    index = NameIndex(names_in(history))
    rows: list[tuple[date, str, str, float, float | None]] = []
    for day, players in played.iter_rows():
        of_day = frozenset(players)
        resolved: dict[str, str | None] = {}
        quotes: dict[tuple[str, str], list[Quote]] = {}
        for row in source.prop_lines(day).iter_rows(named=True):
            name = row["player_lookup"]
            if name not in resolved:
                resolved[name] = index.resolve(name, of_day).player_lookup
            if (lookup := resolved[name]) is not None:
                quotes.setdefault((lookup, row["market"]), []).append(Quote.of(row))
        for (lookup, market), own in quotes.items():
            base = base_line(own, market_named(market))
            if base is not None:
                rows.append((day, lookup, market, float(base.line), base.fair_over))
    return pl.DataFrame(rows, schema=PAST_LINES, orient="row")
