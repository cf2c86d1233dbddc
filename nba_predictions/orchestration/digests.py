"""A hash of the contents of frames, to notice that an input changed."""

import hashlib
from collections.abc import Mapping

import polars as pl


def frames_digest(frames: Mapping[str, pl.DataFrame]) -> str:
    """Return a hash of the contents of frames, independent of the order of rows and columns."""
    digest = hashlib.sha256()
    for name, frame in sorted(frames.items()):
        columns = sorted(frame.columns)
        rows = sorted(map(repr, frame.select(columns).rows()))
        digest.update("\n".join([name, *columns, *rows, ""]).encode())
    return digest.hexdigest()[:16]


def box_scores_digest(frame: pl.DataFrame) -> str:
    """Return a hash of box scores (GAME_LOGS). It does not depend on when they were observed."""
    return frames_digest({"box_scores": frame.drop("observed_at")})
