"""Turn on the publication of a closed batch while a sensor closes batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.nightly.current_batch import close, set_announce
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions_tests.examples import GAME_DATE, batch

S = BatchState


def test_a_batch_that_a_sensor_closes_meanwhile_is_turned_on_anyway(store: BatchStore) -> None:
    closings: list[bool] = []

    class ClosedAgain:
        """Closes the batch right after it was reopened, three times."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
            moved = store.move(batch_id, to, reason)
            if len(closings) < 3:
                closings.append(close(store, batch_id))
            return moved

    assert store.create(batch(state=S.CLOSED, announce=False))
    racing: Any = ClosedAgain()
    assert set_announce(racing, "batch_1", True, run_id="me")
    assert closings == [True, True, True]
    turned_on = store.get("batch_1")
    assert (turned_on.state, turned_on.announce) == (S.CLEANED, True)
    assert [entry.event.value for entry in store.ledger("batch_1")] == ["announce_changed"]


@pytest.mark.parametrize("state", [S.CLEANED, S.CLOSED])
def test_a_batch_that_is_turned_on_is_never_closed(
    open_store: Callable[[], BatchStore], state: BatchState
) -> None:
    operator, sensor = open_store(), open_store()
    for number in range(20):
        on, name = GAME_DATE + timedelta(days=number), f"batch_{number}"
        assert operator.create(batch(name, game_date=on, state=state, announce=False))

        def settle(number: int = number) -> None:
            time.sleep(number / 10_000)
            settle_stalls(sensor, run_id="sensor", now=sensor.now() + timedelta(hours=1))

        with ThreadPoolExecutor(2) as pool:
            settled = pool.submit(settle)
            assert pool.submit(set_announce, operator, name, True, run_id="me").result()
            settled.result()
        found = operator.get(name)
        assert (found.state, found.announce) == (S.CLEANED, True)
        # Otherwise, the next rounds would read it too.
        operator.move(name, S.PUBLISHED)
