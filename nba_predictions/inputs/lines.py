"""Parse the lines of the books, and choose those that count for a game date (PROP_LINES)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import polars as pl

from nba_predictions.domain.betting.current_quotes import is_current
from nba_predictions.domain.league.books import book_named
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.market import registered_markets
from nba_predictions.inputs.account import Known, rows_by_file
from nba_predictions.inputs.parsing import (
    FILE,
    MOMENT,
    OBSERVED,
    ROW,
    Cell,
    Parsed,
    RawTable,
    Rejected,
    calendar_date,
    cell_error,
    conform,
    count_by_file,
    moment,
    number,
    observed,
    parse,
    reject,
    require_columns,
    text,
    whole,
)
from nba_predictions.inputs.port import PROP_LINES
from nba_predictions.inputs.row_rules import (
    split_replaced,
    with_game_id,
    with_lookup,
    with_mapped,
)
from nba_predictions.inputs.schedules import TEAM_FIX, TIME_FIX, drop_exhibitions, with_teams

LINES_REQUIRED = (
    *("player", "market", "bookmaker", "side", "line", "price", "home_team", "away_team"),
)
LINES_OPTIONAL = (
    *("commence_time", "snap", "last_update", "line_kind", "odds_type"),
    OBSERVED,
)
LINES_COLUMNS = (*LINES_REQUIRED, *LINES_OPTIONAL)

#: PROP_LINES, and the tip-off that the lines contain.
LINES_AND_GAMES = {
    **PROP_LINES,
    "tipoff": MOMENT,
    OBSERVED: MOMENT,
    FILE: pl.String,
    ROW: pl.Int64,
}
#: What identifies the market of one player at one book.
BOOK_MARKET = ("game_id", "player_lookup", "market", "book")

#: A price of at least this size, positive or negative, is a placeholder and cannot be bet on.
PLACEHOLDER_PRICE = 10_000
#: A line belongs to a scheduled game whose tip-off is at most this much before that of the line.
LONGEST_DELAY = timedelta(hours=18)
#: The tip-off of a scheduled game without one, US Eastern, when it is compared with a line's.
USUAL_TIPOFF = time(19)
#: Before this hour (UTC) of a day, an evening game of the day before may be in play.
FIRST_TIPOFF_OF_DAY = 12
#: So many unknown labels of markets are counted one by one in each file.
MOST_LABELS = 20

_HIGHEST_LINE = 200
_MOST_ODDS = 10**9
_SNAP_FORMAT = "%m_%d_%Y"
_SNAP_FIX = "the UTC date of the quote, as in 01_10_2025, or its moment, as in 2025-01-10T22:00:00Z"
# Words for prices. A line that is off is suspended.
_PRICE_WORDS = {
    **dict.fromkeys(("EVEN", "EV"), "100"),
    **dict.fromkeys(("OFF", "SUSP", "SUSPENDED", "CLOSED"), "0"),
}
_MAIN_KINDS = ("standard", "main", "regular", "normal")
# Markets that providers deliver in the same files. They are normal, and only counted.
_STATISTICS = (
    *("points", "rebounds", "assists", "threes", "blocks", "steals", "turnovers", "frees"),
    *("blocks_steals", "points_rebounds_assists", "points_rebounds", "points_assists"),
    *("rebounds_assists", "field_goals", "fantasy_points"),
)
_OTHER_MARKETS = frozenset(
    {
        *(f"player_{name}{form}" for name in _STATISTICS for form in ("", "_q1", "_alternate")),
        *("player_double_double", "player_triple_double", "player_first_basket"),
        *("player_first_team_basket", "player_method_of_first_basket"),
        *("h2h", "spreads", "totals", "team_totals", "alternate_spreads", "alternate_totals"),
        *("alternate_team_totals", "h2h_q1", "h2h_h1", "spreads_h1", "totals_h1", "outrights"),
    }
)

#: A function that returns the games (SCHEDULE) of a date.
Games = Callable[[date], pl.DataFrame]


def normalize_lines(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid quotes of all tables as LINES_AND_GAMES.

    The game_date is the date of `commence_time` in US Eastern time or, if it is empty, that of the
    quote. Dropped are `other_market` (with the label, if it is unknown), `placeholder_price`,
    `line_kind` (with the kind, if it is not a standard line) and `all_star`.

    Raises:
        SourceDataError: a table lacks a required column, or both commence_time and the time of
            the quote.
    """
    return Parsed.of(tables, [_typed_lines(table) for table in tables])


def lines_of(
    rows: pl.DataFrame, game_date: date, games: Games, as_of: datetime | None = None
) -> Known:
    """Return the current quotes (PROP_LINES with FILE and ROW) for the games of a date.

    Dropped are quotes at or after the tip-off (`after_tipoff`), those that may be in-play
    (`possibly_in_play`), those of a day after `as_of` (`not_yet_known`) and suspended ones
    (`suspended`). Superseded are quotes that are not current (`is_current`).

    Args:
        rows: the rows of `normalize_lines` that are known.
        game_date: the date.
        games: returns the games of a date.
        as_of: the moment of the run; None if all quotes are known at any moment.
    """
    rows = _of_games(rows, game_date, games)
    by_day = pl.col("quoted_at").is_null()
    reasons = {
        "after_tipoff": (pl.col("quoted_at") >= pl.col("tipoff"))
        | (by_day & (pl.col("quoted_on") > pl.col("tipoff").dt.date())),
        "not_yet_known": by_day & (pl.col("quoted_on") > (as_of.date() if as_of else date.max)),
        "possibly_in_play": _other_than(_may_be_in_play()),
    }
    dropped: dict[tuple[str, str], int] = {}
    for reason, condition in reasons.items():
        out = rows.select(condition.fill_null(False)).to_series()
        if out.any():
            dropped |= count_by_file(rows.filter(out), reason)
            rows = rows.filter(~out)
    current = is_current(rows, BOOK_MARKET)
    suspended = (rows["price"] == 0).fill_null(False)
    dropped |= count_by_file(rows.filter(suspended), "suspended")
    kept = rows.filter(current & ~suspended)
    older, duplicates = split_replaced(kept, rows.filter(~current & ~suspended))
    dropped |= count_by_file(duplicates, "duplicate")
    frame = kept.sort(*BOOK_MARKET, "line", "side")
    schema = {**PROP_LINES, FILE: pl.String, ROW: pl.Int64}
    return Known(conform(frame, schema), rows_by_file(older), dropped=dropped)


def _may_be_in_play() -> pl.Expr:
    """Return whether a quote of unknown time is of the day of a tip-off in the US evening."""
    return (
        pl.col("quoted_at").is_null()
        & (pl.col("quoted_on") == pl.col("tipoff").dt.date())
        & (pl.col("tipoff").dt.hour() < FIRST_TIPOFF_OF_DAY)
    ).fill_null(False)


def _other_than(doubtful: pl.Expr) -> pl.Expr:
    """Return which doubtful quotes are not needed, because the book has others."""
    return doubtful & (~doubtful).any().over(BOOK_MARKET)


def _of_games(rows: pl.DataFrame, game_date: date, games: Games) -> pl.DataFrame:
    """Return the quotes for the games of a date, with its game_id, teams and tip-off.

    A quote belongs to the scheduled game of the two teams on the date of its tip-off, or on the
    date before if the tip-off is at most LONGEST_DELAY later. If both dates have a game of the two
    teams, the nearer one counts. Quotes without a scheduled game keep the date of their tip-off.
    The earlier tip-off of both is used.
    """
    day = timedelta(days=1)
    pair = ("away_team", "home_team")
    own = pl.col("game_date") == game_date
    rows = rows.filter(own | (pl.col("game_date") == game_date + day)).with_columns(
        one=pl.min_horizontal(pair), two=pl.max_horizontal(pair)
    )
    rows = _with_game(rows, games(game_date), "")
    late = ~own & (pl.col("distance") <= LONGEST_DELAY)
    if rows.select((late & pl.col("distance").is_not_null()).any()).item():
        rows = _with_game(rows, games(game_date + day), "_next")
        late &= (pl.col("distance") < pl.col("distance_next")).fill_null(True)
    early = (pl.col("tipoff") - _usual_tipoff(game_date - day)).fill_null(2 * day) <= LONGEST_DELAY
    if rows.select((own & early).any()).item():
        rows = _with_game(rows, games(game_date - day), "_before")
        nearer = (pl.col("distance") <= pl.col("distance_before")).fill_null(False)
        own &= ((pl.col("distance_before") <= LONGEST_DELAY) & ~nearer).not_().fill_null(True)
    rows = rows.filter(own | late.fill_null(False))
    return rows.with_columns(
        pl.lit(game_date).alias("game_date"),
        pl.coalesce("scheduled_id", "game_id").alias("game_id"),
        pl.coalesce("scheduled_away", "away_team").alias("away_team"),
        pl.coalesce("scheduled_home", "home_team").alias("home_team"),
        pl.min_horizontal("tipoff", "scheduled_tipoff").alias("tipoff"),
    )


def _with_game(rows: pl.DataFrame, games: pl.DataFrame, suffix: str) -> pl.DataFrame:
    """Add the scheduled game of both teams, and the distance of its tip-off from the line's."""
    pair = ("away_team", "home_team")
    usual = (
        pl.col("game_date").dt.combine(USUAL_TIPOFF).dt.replace_time_zone(EASTERN.key)
    ).dt.convert_time_zone("UTC")
    scheduled = games.select(
        pl.min_horizontal(pair).alias("one"),
        pl.max_horizontal(pair).alias("two"),
        pl.col("game_id").alias(f"scheduled_id{suffix}"),
        pl.col("away_team").alias(f"scheduled_away{suffix}"),
        pl.col("home_team").alias(f"scheduled_home{suffix}"),
        pl.col("tipoff").alias(f"scheduled_tipoff{suffix}"),
        pl.coalesce("tipoff", usual).alias("__start"),
    )
    rows = rows.join(scheduled, on=["one", "two"], how="left", maintain_order="left")
    distance = (pl.col("tipoff") - pl.col("__start")).abs()
    return rows.with_columns(distance.alias(f"distance{suffix}")).drop("__start")


def _usual_tipoff(day: date) -> pl.Expr:
    return pl.lit(datetime.combine(day, USUAL_TIPOFF, tzinfo=EASTERN)).dt.convert_time_zone("UTC")


def _typed_lines(table: RawTable) -> Parsed:
    require_columns(table, LINES_REQUIRED)
    times = ("commence_time", "snap", OBSERVED, "last_update")
    if not set(times) & set(table.frame.columns):
        raise cell_error(
            table.name,
            f"1 to {table.frame.height}",
            "commence_time",
            "is missing, and so is snap, so the lines have no date",
            f"add commence_time ({TIME_FIX}) or snap ({_SNAP_FIX})",
        )
    raw, dropped = _wanted(_with_prices(table.with_row_numbers(LINES_OPTIONAL)))
    raw, all_star = drop_exhibitions(raw)
    rows, rejected = _parse_lines(raw)
    for rule in (
        _with_times,
        _reject_impossible_prices,
        with_teams,
        _with_book,
        lambda rows: with_game_id(rows, "home_team"),
        lambda rows: with_lookup(rows, "player"),
    ):
        rows, invalid = rule(rows)
        rejected += invalid
    return Parsed(conform(rows, LINES_AND_GAMES), tuple(rejected), {**dropped, **all_star})


def _with_prices(raw: pl.DataFrame) -> pl.DataFrame:
    """Replace words for prices, and the typographic minus sign, by numbers."""
    if raw.schema["price"] != pl.String:
        return raw
    price = pl.col("price").str.replace("\u2212", "-", literal=True)
    number = price.str.to_uppercase().replace_strict(_PRICE_WORDS, default=None)
    return raw.with_columns(pl.coalesce(number, price).alias("price"))


def _wanted(raw: pl.DataFrame) -> tuple[pl.DataFrame, Mapping[tuple[str, str], int]]:
    """Return the rows of standard lines in registered markets, and counts of the others."""
    label = text(raw, "market")
    kind = pl.coalesce(text(raw, "line_kind"), text(raw, "odds_type")).str.to_lowercase()
    price = number(raw, "price")
    unknown = raw.filter(~label.is_in([*_markets_by_label(), *_OTHER_MARKETS]))
    usual = unknown.select(label.alias("label"))["label"].value_counts(sort=True)
    reason = (
        pl.when(label.is_in(list(_markets_by_label())).not_())
        .then(
            pl.when(label.is_in(usual["label"].head(MOST_LABELS).to_list()))
            .then(pl.format("other_market: {}", label))
            .otherwise(pl.lit("other_market"))
        )
        .when(price.abs() >= PLACEHOLDER_PRICE)
        .then(pl.lit("placeholder_price"))
        .when((price == 0) & number(raw, "line").is_null())
        .then(pl.lit("suspended"))
        .when(kind.is_in(_MAIN_KINDS).not_())
        .then(pl.format("line_kind: {}", kind.str.head(40)))
    )
    reasons = raw.select(reason.alias("reason")).to_series()
    out = raw.select(FILE, reasons).drop_nulls().group_by(FILE, "reason", maintain_order=True).len()
    counts = {(file, why): count for file, why, count in out.iter_rows()}
    return raw.filter(reasons.is_null()), counts


def _markets_by_label() -> dict[str, str]:
    """Return the name of the market that each label in input files stands for."""
    return {label: m.name for m in registered_markets() for label in m.input_labels}


def _parse_lines(raw: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    side = text(raw, "side").str.to_titlecase()
    line = number(raw, "line")
    day = calendar_date(raw, "snap", [_SNAP_FORMAT])
    cells = {
        "player_name": Cell("player", text(raw, "player"), "a name", "write the player's name"),
        "market": Cell(
            "market",
            text(raw, "market").replace_strict(_markets_by_label(), default=None),
            "a registered market",
            f"write {' or '.join(_markets_by_label())}",
        ),
        "book_name": Cell("bookmaker", text(raw, "bookmaker"), "a name", "write the book's name"),
        "side": Cell(
            "side",
            pl.when(side.is_in(["Over", "Under"])).then(side),
            "a side",
            "write Over or Under",
        ),
        "line": Cell(
            "line",
            pl.when((line > 0) & (line <= _HIGHEST_LINE) & (line * 2 == (line * 2).floor()))
            .then(line)
            .cast(pl.Decimal(5, 1)),
            f"a line (a multiple of 0.5 above 0, at most {_HIGHEST_LINE})",
            "write the line of the book, as in 24.5, or remove the row",
        ),
        # Smaller prices are rejected with their cause.
        "price": Cell(
            "price",
            pl.when(number(raw, "price").abs() < 100)
            .then(number(raw, "price"))
            .otherwise(whole(raw, "price", -_MOST_ODDS, _MOST_ODDS)),
            "a price",
            "write American odds, as in -110 or 105, or leave it empty",
            optional=True,
        ),
        "home_team": Cell("home_team", text(raw, "home_team"), "a team", TEAM_FIX),
        "away_team": Cell("away_team", text(raw, "away_team"), "a team", TEAM_FIX),
        "tipoff": _time_cell(raw, "commence_time"),
        "snap_at": Cell(
            "snap",
            pl.coalesce(moment(raw, "snap"), day.cast(MOMENT)),
            "a day",
            f"write {_SNAP_FIX}",
            optional=True,
        ),
        "snap_is_day": Cell(
            "snap", moment(raw, "snap").is_null() & day.is_not_null(), "a day", "", optional=True
        ),
        "last_update": _time_cell(raw, "last_update"),
        OBSERVED: observed(raw),
    }
    return parse(raw, cells)


def _time_cell(raw: pl.DataFrame, column: str) -> Cell:
    return Cell(column, moment(raw, column), "a time with a time zone", TIME_FIX, optional=True)


def _with_times(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add the moment or day of the quotes and their game_date, and reject those without a date."""
    at = pl.coalesce(OBSERVED, pl.when(~pl.col("snap_is_day")).then("snap_at"), "last_update")
    rows = rows.with_columns(at.alias("quoted_at")).with_columns(
        pl.col("quoted_at").alias(OBSERVED),
        pl.coalesce("quoted_at", "snap_at").dt.date().alias("quoted_on"),
        pl.coalesce(
            pl.coalesce("tipoff", "quoted_at").dt.convert_time_zone(EASTERN.key).dt.date(),
            pl.col("snap_at").dt.date(),
        ).alias("game_date"),
    )
    return reject(
        rows,
        pl.col("game_date").is_null(),
        "commence_time",
        pl.lit("is empty, and so is snap, so the line has no date"),
        f"fill in commence_time ({TIME_FIX}) or snap ({_SNAP_FIX})",
    )


def _reject_impossible_prices(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    price = pl.col("price")
    shown = pl.when(price == price.floor()).then(price.cast(pl.Int64).cast(pl.String))
    rows, odds = reject(
        rows,
        (price != 0) & (price.abs() < 100),
        "price",
        pl.format(
            "{} is not an American price, but may be decimal odds",
            shown.otherwise(price.cast(pl.String)),
        ),
        "write odds of at most -100 or at least 100, as in -110 for 1.91",
    )
    return rows.with_columns(price.cast(pl.Int64)), odds


def _with_book(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add the key of the book, and whether it is a sportsbook or a fantasy operator."""
    rows, rejected = with_mapped(
        rows,
        ["book_name"],
        "book",
        lambda name: book_named(name).key,
        ("bookmaker", "write the book's name"),
    )
    rows, _ = with_mapped(
        rows, ["book_name"], "line_source", lambda name: book_named(name).kind, ("bookmaker", "")
    )
    return rows, rejected
