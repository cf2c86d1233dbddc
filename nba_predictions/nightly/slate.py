"""Build the slate from the frames of the sources."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.betting.lines import Quote
from nba_predictions.domain.betting.slate import (
    RECENT_GAMES,
    Game,
    Newcomer,
    PlayerForm,
    PlayerNamesOfDate,
    PlayerQuote,
    Reported,
    Slate,
    Unmatched,
    build_slate,
    slate_as_of,
)
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import EASTERN, end_of_eastern_day, season_of
from nba_predictions.domain.league.players import names_in, player_lookup
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, ROSTER, LeagueSource

#: The slate as the feature builder reads it: players, games and teams, without lines.
SLATE_FRAME: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "player_lookup": pl.String,
    "team": pl.String,
    "opponent": pl.String,
    "is_home": pl.Boolean,
}


def load_slate(
    game_date: date,
    game_logs: pl.DataFrame,
    schedule: pl.DataFrame,
    prop_lines: pl.DataFrame,
    injuries: pl.DataFrame,
    *,
    roster: pl.DataFrame | None = None,
    as_of: datetime | None = None,
    begun_games: bool = False,
) -> Slate:
    """Return the slate of `game_date` from the frames of `nba_predictions.inputs.port`.

    Args:
        game_date: the date.
        game_logs: GAME_LOGS rows of the games before the date.
        schedule: SCHEDULE rows of the date.
        prop_lines: PROP_LINES rows of the date.
        injuries: INJURIES rows of the date.
        roster: ROSTER rows; None if the teams of the players are those of the box scores.
        as_of: the moment at which the frames were known. Games that had begun are left alone, as
            `slate_as_of` describes. None predicts all games.
        begun_games: whether games that have begun are predicted nevertheless.

    Raises:
        SourceDataError: an earlier version stored `prop_lines` or `game_logs`.
    """
    _refuse_frame_of_earlier_version("prop_lines", prop_lines, "market", game_date)
    _refuse_frame_of_earlier_version("game_logs", game_logs, "player_id", game_date)
    prop_lines = _completed(prop_lines, PROP_LINES)
    quotes = [
        PlayerQuote(
            row["player_lookup"],
            row["player_name"],
            row["away_team"],
            row["home_team"],
            row["market"],
            Quote.of(row),
        )
        for row in prop_lines.iter_rows(named=True)
    ]
    games, report = games_of(schedule), _report(injuries)
    forms = player_forms(game_logs, season_of(game_date), roster)
    newcomers = _newcomers(forms, roster)
    newest = features_as_of(game_logs)

    def build(some: Sequence[Game]) -> Slate:
        return build_slate(game_date, some, forms, quotes, report, newest, newcomers)

    if as_of is None:
        return build(games)
    return slate_as_of(build, games, as_of, begun_games=begun_games)


def unmatched_injuries(
    game_date: date,
    game_logs: pl.DataFrame,
    schedule: pl.DataFrame,
    injuries: pl.DataFrame,
    *,
    roster: pl.DataFrame | None = None,
) -> list[Unmatched]:
    """Return the names on the injury report that are not the name of exactly one player."""
    forms = player_forms(game_logs, season_of(game_date), roster)
    names = PlayerNamesOfDate(games_of(schedule), forms, _newcomers(forms, roster))
    return names.unmatched(_report(injuries))


def _newcomers(forms: Sequence[PlayerForm], roster: pl.DataFrame | None) -> list[Newcomer]:
    """Return the players of the roster who have no box score."""
    if roster is None:
        return []
    known = [form.player_id for form in forms]
    rows = roster.filter(~pl.col("player_id").is_in(known))
    return [Newcomer(*row) for row in rows.select(list(Newcomer.__dataclass_fields__)).iter_rows()]


def games_of(schedule: pl.DataFrame) -> list[Game]:
    """Return the games of SCHEDULE rows."""
    columns = ("game_id", "game_date", "away_team", "home_team", "tipoff")
    return [Game(*row) for row in schedule.select(columns).iter_rows()]


def _report(injuries: pl.DataFrame) -> list[Reported]:
    """Return the entries of the report, oldest first."""
    columns = ("player_lookup", "player_name", "status", "team", "observed_at")
    rows = _completed(injuries, INJURIES)
    rows = rows.sort("observed_at", nulls_last=False, maintain_order=True)
    return [Reported(*row) for row in rows.select(columns).iter_rows()]


def _completed(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the frame with the columns that the version which stored it did not have, as null."""
    missing = {name: dtype for name, dtype in schema.items() if name not in frame.columns}
    return frame.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _refuse_frame_of_earlier_version(
    name: str, frame: pl.DataFrame, column: str, game_date: date
) -> None:
    if column not in frame.columns:
        raise SourceDataError(
            f"the stored {name} of {game_date} have no column {column}, because an earlier "
            f"version wrote them; materialize `{name}` of {game_date} again"
        )


def slate_of(
    league: LeagueSource,
    game_date: date,
    as_of: datetime | None = None,
    *,
    begun_games: bool = False,
) -> Slate:
    """Return the slate of `game_date` as a source has it now, or as it was known at `as_of`."""
    if as_of is not None:
        league = league.known_at(as_of)
    return load_slate(
        game_date,
        league.game_logs(game_date),
        league.schedule(game_date),
        league.prop_lines(game_date),
        league.injuries(game_date),
        roster=league.roster(game_date),
        as_of=as_of,
        begun_games=begun_games,
    )


def player_forms(
    game_logs: pl.DataFrame, season: str, roster: pl.DataFrame | None = None
) -> list[PlayerForm]:
    """Return the form of every player after the last game in the logs.

    A player who was traded after that game has the team of the roster. The games that the player
    missed are then those of the new team.

    Args:
        game_logs: GAME_LOGS rows.
        season: the current one (`2024-25`). The logs may not have any game of it yet.
        roster: ROSTER rows, None if there are none.
    """
    roster = pl.DataFrame(schema=ROSTER) if roster is None else roster
    latest = (
        _completed(game_logs, GAME_LOGS)
        .sort("game_date")
        .group_by("player_lookup", maintain_order=True)
        .agg(
            pl.col("player_name", "team", "player_id").last(),
            pl.len().alias("games"),
            pl.col("minutes").tail(RECENT_GAMES).mean().alias("recent_minutes"),
            pl.col("game_date").last().alias("last_played"),
            pl.col("season").last().alias("last_season"),
        )
    )
    latest = latest.join(
        roster.select("player_id", new_team="team", name="player_name", seen="observed_at"),
        on="player_id",
        how="left",
        maintain_order="left",
    )
    seen_on = pl.col("seen").dt.convert_time_zone(EASTERN.key).dt.date()
    latest = latest.with_columns(
        pl.when(seen_on > pl.col("last_played")).then("new_team").otherwise("team").alias("team")
    )
    team_games = game_logs.select("team", "game_date", "season").unique()
    missed = (
        latest.select("player_lookup", "team", "last_played")
        .join(team_games, on="team")
        .filter(pl.col("game_date") > pl.col("last_played"))
        .group_by("player_lookup")
        .agg(
            pl.len().alias("team_games_missed"),
            (pl.col("season") == season).sum().alias("season_games_missed"),
        )
    )
    forms = latest.join(missed, on="player_lookup", how="left").with_columns(
        pl.col("team_games_missed").fill_null(0),
        pl.when(pl.col("last_season") == season)
        .then(0)
        .otherwise(pl.col("season_games_missed").fill_null(0))
        .alias("season_games_missed"),
    )
    others = {names.player_lookup: names.former for names in names_in(game_logs)}
    named = forms.filter(pl.col("name").is_not_null()).select("player_lookup", "name")
    for lookup, name in named.iter_rows():
        others[lookup] |= {player_lookup(name)} - {lookup}
    columns = [name for name in PlayerForm.__dataclass_fields__ if name != "former_names"]
    return [
        PlayerForm(**row, former_names=others[row["player_lookup"]])
        for row in forms.select(columns).iter_rows(named=True)
    ]


def slate_frame(slate: Slate) -> pl.DataFrame:
    """Return the players to predict as a frame for the feature builder."""
    columns = {name: [getattr(p, name) for p in slate.players] for name in SLATE_FRAME}
    return pl.DataFrame(columns, schema=SLATE_FRAME)


def features_as_of(game_logs: pl.DataFrame) -> datetime | None:
    """Return when the newest box score was complete: midnight Eastern after its games, in UTC."""
    newest = game_logs["game_date"].max()
    return end_of_eastern_day(newest) if isinstance(newest, date) else None
