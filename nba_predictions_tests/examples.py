"""Small valid objects of the domain, which tests modify: a night with three players."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from nba_predictions.domain.batches.batch import (
    Batch,
    BatchState,
    BatchStatus,
    Completion,
    DeadLetter,
)
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.betting.predictions import PlayerForecast, prediction_rows
from nba_predictions.domain.betting.slate import Game, PlayerMarket, Skip, Slate, SlatePlayer
from nba_predictions.domain.clock import microseconds
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.market import POINTS
from nba_predictions.domain.messages.completion import CompletionMessage, CompletionMetadata

GAME_DATE = date(2026, 1, 1)
NOON = datetime(2026, 1, 1, 17, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
_PLAYER = {field.name for field in fields(SlatePlayer)}
SYSTEMS = ("moving_average", "zone_matchup", "similarity", "xgboost", "ensemble")


def game(away: str = "PHI", home: str = "DAL", on: date = GAME_DATE) -> Game:
    return Game(make_game_id(on, away, home), on, away, home)


def slate_player(
    lookup: str = "paulgeorge", base: str | None = "22.5", on: date = GAME_DATE, **changed: Any
) -> SlatePlayer:
    """Return a player with one market, points. `changed` has fields of the player or the market."""
    market: dict[str, Any] = {
        "name": POINTS.name,
        "base_line": None if base is None else Decimal(base),
        "line_source": "none" if base is None else "sportsbook",
        "books": 0 if base is None else 3,
    }
    values: dict[str, Any] = {
        "game_date": on,
        "game_id": make_game_id(on, "PHI", "DAL"),
        "player_lookup": lookup,
        "player_name": lookup.title(),
        "team": "PHI",
        "opponent": "DAL",
        "is_home": False,
    }
    of_market = {name: changed.pop(name) for name in list(changed) if name not in _PLAYER}
    return SlatePlayer(**{**values, **changed}, markets=(PlayerMarket(**{**market, **of_market}),))


def with_line(player: SlatePlayer, base: str | None) -> SlatePlayer:
    """Return the player with another base line of points, or without one."""
    return replace(player, markets=slate_player(base=base).markets)


def ledger_entry(
    event: str, at: datetime = NOON, run_id: str = "run", payload: Mapping[str, Any] | None = None
) -> LedgerEntry:
    """An entry as a store returns it."""
    return LedgerEntry.from_stored(event, at, run_id, payload or {}, microseconds(at))


#: The payloads of ledger entries as stores hold them, also those of earlier versions.
STORED_PAYLOADS: dict[str, dict[str, Any]] = {
    "merged": {
        "players_expected": 3,
        "tables_expected": 2,
        "tables_found": 2,
        "rows_recorded": 50,
        "rows_staged": 50,
        "distinct_keys": 50,
        "inserted": 40,
        "updated": 10,
        "superseded": 3,
        "batch_rows_expected": 50,
        "batch_rows_in_target": 50,
        "duplicate_keys_in_target": 0,
        "retired": 5,
        "duplicates_collapsed": 0,
        "staging": ["batch_1/a.1"],
    },
    "cleaned": {"tables_dropped": 2, "rows_in_target": 50},
    "published": {"message_id": "m-1", "status": "success", "message": {"record_count": 50}},
    "publish_failed": {"error": "PublishError: no route"},
}


def slate_of(players: Iterable[SlatePlayer], skips: Iterable[Skip] = ()) -> Slate:
    return Slate(GAME_DATE, (game(),), tuple(players), tuple(skips))


def even_chances(mean: float, spread: float, lines: list[float]) -> list[tuple[float, float]]:
    return [(0.5, 0.0) for _ in lines]


def rows_of(
    player: SlatePlayer,
    batch_id: str = "batch_1",
    *,
    mean: float = 21.37,
    staged_at: datetime = NOON,
    systems: Iterable[str] = SYSTEMS,
) -> list[dict[str, Any]]:
    forecasts = [PlayerForecast(s, "1+test", POINTS.name, mean, 6.0, 0.8) for s in systems]
    return prediction_rows(
        player,
        forecasts,
        even_chances,
        batch_id=batch_id,
        features_as_of=NOON - timedelta(hours=12),
        staged_at=staged_at,
    )


def batch(batch_id: str = "batch_1", **changed: Any) -> Batch:
    values: dict[str, Any] = {
        "batch_id": batch_id,
        "game_date": GAME_DATE,
        "state": BatchState.CREATED,
        "expected_players": 3,
        "games": 1,
        "slate_fingerprint": "abc",
        "created_at": NOON,
        "run_id": "run_1",
        "source": "test",
        "completion_threshold": 0.9,
    }
    return Batch(**{**values, **changed})


def completion(
    lookup: str, rows: int = 25, at: datetime = NOON, run_id: str = "run_1"
) -> Completion:
    return Completion(
        lookup, rows, at, run_id, staging_table=f"batch_1/{lookup}", sequence=microseconds(at)
    )


def skipped(lookup: str, reason: str = "injury_report: OUT", at: datetime = NOON) -> Completion:
    return Completion(lookup, 0, at, "run_1", skip_reason=reason, sequence=microseconds(at))


def dead_letter(lookup: str, at: datetime = NOON, message: str = "no features") -> DeadLetter:
    return DeadLetter(
        lookup, "KeyError", message, "Traceback ...", 3, at, "run_1", sequence=microseconds(at)
    )


def message(batch_id: str = "batch_1", **changed: Any) -> CompletionMessage:
    rows = changed.pop("rows", 50)
    metadata = CompletionMetadata(
        batch_id=batch_id,
        expected_players=3,
        completed_players=2,
        skipped_players=1,
        failed_players=0,
        rows_staged=rows,
        rows_merged=rows,
        completion_pct=100.0,
    )
    values: dict[str, Any] = {
        "execution_id": batch_id,
        "correlation_id": "run_1",
        "game_date": GAME_DATE,
        "status": BatchStatus.SUCCESS,
        "timestamp": NOON,
        "record_count": rows,
        "records_failed": 0,
        "duration_seconds": 12.5,
        "metadata": metadata,
    }
    return CompletionMessage(**{**values, **changed})
