"""One walk through a small simulated league, shared by all tests that only read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from nba_predictions.backtest.walk_forward import Walk, walk
from nba_predictions.training.model_store import ModelStore
from nba_predictions_tests.leagues import small_league

LEAGUE = small_league()
#: Two weeks into the season there are enough games for trees.
NIGHT, LAST = date(2025, 11, 4), date(2025, 11, 6)


@dataclass(frozen=True)
class Walked:
    """A walk, and the store with its models."""

    walk: Walk
    store: ModelStore


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    store = ModelStore(tmp_path_factory.mktemp("models"))
    # Training is slow, so it happens once: the night of NIGHT has the same cutoff.
    return Walked(walk(LEAGUE, store, NIGHT, LAST, retrain="never"), store)
