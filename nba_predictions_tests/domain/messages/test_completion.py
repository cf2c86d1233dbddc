import json
from datetime import date, datetime, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from nba_predictions.domain.batches.batch import BatchStatus
from nba_predictions.domain.messages.completion import TOPIC, CompletionMessage
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions_tests.examples import NOON, batch, dead_letter, message


def test_the_field_names_are_those_that_readers_were_promised() -> None:
    sent = json.loads(message().model_dump_json())
    assert list(sent) == [
        "processor_name",
        "phase",
        "execution_id",
        "correlation_id",
        "game_date",
        "markets",
        "status",
        "timestamp",
        "record_count",
        "records_failed",
        "duration_seconds",
        "output_table",
        "metadata",
    ]
    assert list(sent["metadata"]) == [
        "batch_id",
        "expected_players",
        "completed_players",
        "skipped_players",
        "failed_players",
        "rows_staged",
        "rows_merged",
        "completion_pct",
        "begun_games",
    ]
    assert TOPIC == "nba-phase5-predictions-complete"


def test_the_values_are_plain_json() -> None:
    sent = json.loads(message().model_dump_json())
    assert sent["processor_name"] == "nba_predictions"
    assert sent["phase"] == "phase_5_predictions"
    assert sent["execution_id"] == sent["metadata"]["batch_id"] == "batch_1"
    assert sent["game_date"] == "2026-01-01"
    assert sent["status"] == "success"
    assert datetime.fromisoformat(sent["timestamp"].replace("Z", "+00:00")) == NOON
    assert sent["output_table"] == "player_prop_predictions"


def test_a_message_is_read_back_as_it_was_written() -> None:
    assert CompletionMessage.model_validate_json(message().model_dump_json()) == message()


def test_a_message_of_an_earlier_version_is_about_points() -> None:
    earlier = json.loads(message().model_dump_json())
    del earlier["markets"]
    assert CompletionMessage.model_validate(earlier).markets == ("points",)


def test_the_markets_are_those_of_the_batch() -> None:
    sent = DeadLetterMessage.of(batch(markets=("points", "rebounds")), dead_letter("a"))
    assert json.loads(sent.model_dump_json())["markets"] == ["points", "rebounds"]


def test_attributes_let_a_reader_filter_and_drop_duplicates() -> None:
    sent = message(sequence=7)
    assert sent.attributes == {
        "dedup_id": "batch_1",
        "game_date": "2026-01-01",
        "phase": "phase_5_predictions",
        "sequence": "7",
    }
    assert "sequence" not in json.loads(sent.model_dump_json())
    assert (sent.dedup_id, sent.ordering_key) == ("batch_1", "2026-01-01")


@pytest.mark.parametrize(
    ("status", "rows", "failed"),
    [("success", 50, 0), ("partial", 50, 1), ("no_data", 0, 0), ("failed", 0, 3)],
)
def test_the_four_words_of_status(status: str, rows: int, failed: int) -> None:
    sent = message(status=status, rows=rows, records_failed=failed)
    assert sent.status is BatchStatus(status)
    assert json.loads(sent.model_dump_json())["status"] == status


@pytest.mark.parametrize("word", ["completed", "SUCCESS", "ok", "", None])
def test_no_other_word_can_be_constructed(word: str | None) -> None:
    with pytest.raises(ValidationError, match="status"):
        message(status=word)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows": 0}, "merged nothing cannot be success"),
        ({"rows": 0, "status": "partial"}, "merged nothing cannot be partial"),
        ({"records_failed": 1}, "1 failed players cannot be a success"),
        ({"timestamp": datetime(2026, 1, 1)}, "needs a time zone"),  # noqa: DTZ001
        ({"execution_id": "batch_2"}, "must be the same batch"),
        ({"record_count": 49}, "record_count must be metadata.rows_merged"),
        ({"record_count": -1}, "record_count"),
        ({"duration_seconds": -0.1}, "duration_seconds"),
        ({"processor_name": "someone_else"}, "processor_name"),
        ({"phase": "phase_6_export"}, "phase"),
        ({"completion_percentage": 100.0}, "completion_percentage"),
        ({"correlation_id": None}, "correlation_id"),
        ({"game_date": "yesterday"}, "game_date"),
    ],
)
def test_what_does_not_hold_together_cannot_be_constructed(
    changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        message(**changed)


def test_a_renamed_key_is_an_error_of_the_reader_too() -> None:
    sent = json.loads(message().model_dump_json())
    sent["metadata"]["completion_percentage"] = sent["metadata"].pop("completion_pct")
    with pytest.raises(ValidationError, match="completion_pct"):
        CompletionMessage.model_validate(sent)


def test_a_message_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        message().status = BatchStatus.PARTIAL


def test_the_time_is_kept_in_its_zone() -> None:
    assert message(timestamp=datetime(2026, 1, 1, 12, tzinfo=timezone.utc)).game_date == date(
        2026, 1, 1
    )
