"""Compute the fingerprint of training: a hash of everything that the models depend on."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import lru_cache
from importlib import resources

import numpy as np
import polars as pl
import xgboost as xgb

from nba_predictions.domain.market import registered_markets
from nba_predictions.features.build import history_columns
from nba_predictions.training.past_lines import PAST_LINES


def training_fingerprint(
    history: pl.DataFrame, cutoff: date, lines: pl.DataFrame | None = None
) -> str:
    """Return a SHA-256 of everything that `train` depends on with these arguments.

    It covers the cutoff, the rows before it (the columns that training uses), the lines before it,
    the registered markets, the code of features and systems, and the versions of their libraries.
    The order of rows does not matter.
    """
    text = f"{cutoff.isoformat()} {code_version()} {registered_markets()}"
    digest = hashlib.sha256(text.encode())
    _digest_rows(digest, history, history_columns(), cutoff)
    if lines is not None:
        _digest_rows(digest, lines, tuple(PAST_LINES), cutoff)
    return digest.hexdigest()


def _digest_rows(
    digest: hashlib._Hash, frame: pl.DataFrame, columns: tuple[str, ...], cutoff: date
) -> None:
    rows = frame.lazy().select(columns).filter(pl.col("game_date") < cutoff).sort(columns).collect()
    for name in columns:
        values = rows[name]
        digest.update(f"\n{name} {len(values)} ".encode())
        if values.dtype == pl.String:
            # A null must differ from every name. No name has a control character.
            digest.update("\n".join(values.fill_null("\x00").to_list()).encode())
        else:
            digest.update(values.is_null().to_numpy().tobytes())
            digest.update(values.to_physical().cast(pl.Float64).fill_null(0).to_numpy().tobytes())


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return a short hash of the source of features, systems and training, and of libraries."""
    digest = hashlib.sha256(f"{xgb.__version__} {np.__version__} {pl.__version__}".encode())
    for package in ("features", "systems", "training"):
        folder = resources.files(f"nba_predictions.{package}")
        for item in sorted(folder.iterdir(), key=lambda i: i.name):
            if item.name.endswith(".py"):
                digest.update(item.name.encode() + item.read_bytes())
    return digest.hexdigest()[:16]
