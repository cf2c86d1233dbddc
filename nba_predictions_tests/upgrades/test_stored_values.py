"""Everything that version 0.1.0 stored beside its tables is read back with the same meaning."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from pydantic import TypeAdapter

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.ledger import Cleaned, LedgerEvent, Merged, Published
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.market import POINTS
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions.domain.policies.alerting import Kind, read_cursor, write_cursor
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.nightly.predicting import input_fingerprints
from nba_predictions.orchestration.partitions import (
    is_old_player_partition_key,
    parse_player_partition_key,
)
from nba_predictions.training.model_store import ModelStore
from nba_predictions_tests.upgrades.stored_state import (
    FAILED_PLAYER,
    PUBLISHED,
    STATE,
    UNFINISHED,
    cursors,
    restore_home,
)

ASSETS = STATE / "home" / "assets"


@pytest.fixture
def store(tmp_path: Path) -> SQLiteBatchStore:
    restore_home(tmp_path / "home")
    store = SQLiteBatchStore(tmp_path / "home" / "batches.sqlite")
    store.prepare()
    return store


def stored_slate() -> Slate:
    file = ASSETS / "slate" / f"{PUBLISHED}.json"
    return TypeAdapter(Slate).validate_json(file.read_bytes())


def test_a_slate_has_its_lines_in_the_market_points() -> None:
    players = json.loads((ASSETS / "slate" / f"{PUBLISHED}.json").read_text("utf-8"))["players"]
    slate = stored_slate()
    assert [p.player_lookup for p in slate.players] == [p["player_lookup"] for p in players]
    for player, values in zip(slate.players, players, strict=True):
        (market,) = player.markets
        assert market.name == POINTS.name
        assert (str(market.base_line) if market.base_line else None) == values["base_line"]
        assert (market.line_source, market.books) == (values["line_source"], values["books"])
        assert (market.fair_over, len(market.prices)) == (
            values["fair_over"],
            len(values["prices"]),
        )
    adapter = TypeAdapter(Slate)
    assert adapter.validate_json(adapter.dump_json(slate)) == slate


def test_a_batch_recognizes_its_slate_and_the_inputs_of_its_players(
    store: SQLiteBatchStore,
) -> None:
    (batch,) = store.of_date(PUBLISHED)
    slate = stored_slate()
    assert slate.fingerprint() == batch.slate_fingerprint
    name = json.loads((ASSETS / "prediction_models" / f"{PUBLISHED}.json").read_text("utf-8"))
    features = pl.read_parquet(ASSETS / "player_features" / f"{PUBLISHED}.parquet")
    current = input_fingerprints(slate.players, features, name, slate.features_as_of)
    completions = store.completions(batch.batch_id)
    assert len(completions) == 31
    assert {c.player_lookup: c.fingerprint for c in completions} == {
        c.player_lookup: current[c.player_lookup] for c in completions
    }


def test_batches_and_their_ledgers_are_read_with_typed_payloads(store: SQLiteBatchStore) -> None:
    (published,), (unfinished,) = store.of_date(PUBLISHED), store.of_date(UNFINISHED)
    assert (published.state, unfinished.state) == (BatchState.PUBLISHED, BatchState.STAGING)
    payloads = {e.event: e.payload for e in store.ledger(published.batch_id)}
    merged = payloads[LedgerEvent.MERGED]
    assert isinstance(merged, Merged)
    numbers = merged.numbers
    assert (numbers.tables_found, numbers.rows_staged, numbers.inserted) == (31, 570, 570)
    assert merged.staging is None
    assert payloads[LedgerEvent.CLEANED] == Cleaned(tables_dropped=31, rows_in_target=570)
    sent = payloads[LedgerEvent.PUBLISHED]
    assert isinstance(sent, Published)
    assert (sent.status, sent.message["record_count"]) == ("partial", 570)
    events = {e.event for b in (published, unfinished) for e in store.ledger(b.batch_id)}
    assert LedgerEvent.UNKNOWN not in events
    assert [d.player_lookup for d in store.dead_letters(published.batch_id)] == [FAILED_PLAYER]


def test_messages_in_the_outbox_are_read(store: SQLiteBatchStore) -> None:
    outbox = OutboxPublisher(store.path.with_name("outbox.sqlite"))
    (sent,) = outbox.read()
    assert (sent.message.game_date, sent.message.record_count) == (PUBLISHED, 570)
    with closing(sqlite3.connect(outbox.path)) as connection:
        (data,) = connection.execute(
            "SELECT data FROM outbox WHERE topic LIKE '%-dead-letters'"
        ).fetchone()
    assert DeadLetterMessage.model_validate_json(data).player_lookup == FAILED_PLAYER


def test_trained_models_are_read(store: SQLiteBatchStore) -> None:
    models = ModelStore(store.path.with_name("models"))
    assert len(models.names()) == 2
    for name in models.names():
        found = models.load(name)
        assert found is not None
        assert set(found.priors) == {POINTS.statistic}
        assert found.version == name[:10]


def test_an_alert_that_was_sent_is_not_sent_again() -> None:
    now = datetime(2026, 11, 25, 11, tzinfo=timezone.utc)
    for name, cursor in cursors().items():
        if not name.startswith("alert_on_"):
            assert cursor is None
            continue
        book, memory = read_cursor(cursor)
        open_now = list(book.conditions.values())
        assert book.due("log", open_now, now) == []
        assert read_cursor(write_cursor(book, memory)) == (book, memory)
    book, _ = read_cursor(cursors()["alert_on_stalled_batches"])
    (stalled,) = book.conditions.values()
    assert (stalled.kind, stalled.game_date) == (Kind.STALLED_BATCH, UNFINISHED)
    assert [a.condition for a in book.due("log", [], now + timedelta(hours=1))] == [stalled]


def test_partitions_of_players_are_read_and_recognized_as_old() -> None:
    keys = (STATE / "player_partitions.txt").read_text("utf-8").split()
    assert len(keys) == 64
    assert all(is_old_player_partition_key(key) for key in keys)
    read = [parse_player_partition_key(key) for key in keys]
    assert {game_date for game_date, _ in read} == {PUBLISHED, UNFINISHED}
    assert (PUBLISHED, FAILED_PLAYER) in read
