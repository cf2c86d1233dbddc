"""Plots of a night: valid and small PNGs, deterministic, and drawn for empty frames too."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from PIL import Image

from nba_predictions.report import drawing, plots
from nba_predictions_tests.report import frames
from nba_predictions_tests.waiting import CEILING_SECONDS

#: A materialization event has at most two plots, and must stay small.
MOST_BYTES = 25_000


def size_of(png: bytes) -> tuple[int, int]:
    """Check the signature and the checksum of each chunk of a PNG; return its width and height."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        chunks.append((kind, body))
        at += 12 + length
    assert chunks[0][0] == b"IHDR"
    assert chunks[-1][0] == b"IEND"
    width, height = struct.unpack(">II", chunks[0][1][:8])
    return width, height


ONE_BUCKET = frames.buckets(40, tenths=1).head(1)
DRAWINGS: dict[str, Callable[[], bytes]] = {
    "distributions, none": lambda: plots.distributions(frames.at_base(0)),
    "distributions, one": lambda: plots.distributions(frames.at_base(1)),
    "distributions, no line": lambda: plots.distributions(
        frames.at_base(4).tail(len(frames.SYSTEMS))
    ),
    "distributions, many": lambda: plots.distributions(frames.at_base(450)),
    "distributions, new systems": lambda: plots.distributions(
        frames.at_base(20, ("ensemble", "a_new_one", "another", "a_third", "a_fourth"))
    ),
    "against the line, none": lambda: plots.against_the_line(frames.at_base(0)),
    "against the line, one": lambda: plots.against_the_line(frames.at_base(1)),
    "against the line, many": lambda: plots.against_the_line(frames.at_base(450)),
    "against the line, no such system": lambda: plots.against_the_line(frames.at_base(9), "x"),
    "calibration, none": lambda: plots.calibration(frames.buckets(0, 0), "2026-01-15"),
    "calibration, one": lambda: plots.calibration(ONE_BUCKET, "2026-01-15"),
    "calibration, few rows": lambda: plots.calibration(frames.buckets(3), "2026-01-15"),
    "calibration, many": lambda: plots.calibration(frames.buckets(4000), "2026-01-15"),
    "errors, none": lambda: plots.error_by_system(frames.graded(0), "2026-01-15"),
    "errors, one": lambda: plots.error_by_system(frames.graded(1), "2026-01-15"),
    "errors, many": lambda: plots.error_by_system(frames.graded(), "2026-01-15"),
    "dates, none": lambda: plots.error_by_date(frames.by_date(0)),
    "dates, one": lambda: plots.error_by_date(frames.by_date(1)),
    "dates, many": lambda: plots.error_by_date(frames.by_date(60)),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_plot_is_a_small_valid_png(name: str) -> None:
    png = DRAWINGS[name]()
    width, height = size_of(png)
    assert 400 <= width <= 900
    assert 200 <= height <= 500
    assert 1_500 < len(png) < MOST_BYTES


def test_a_plot_without_data_differs_from_one_with_data() -> None:
    assert DRAWINGS["dates, none"]() != DRAWINGS["dates, many"]()
    assert DRAWINGS["distributions, none"]() != DRAWINGS["distributions, many"]()


def test_the_same_numbers_give_the_same_bytes_in_any_thread() -> None:
    sequential = [draw() for draw in DRAWINGS.values()]
    with ThreadPoolExecutor(4) as pool:
        concurrent = list(pool.map(lambda draw: draw(), DRAWINGS.values()))
    assert concurrent == sequential


def test_a_system_keeps_its_color_without_the_others() -> None:
    all_systems = plots._systems(frames.graded())
    one_system = plots._systems(frames.graded().filter(pl.col("system_id") == "xgboost"))
    assert one_system["xgboost"] == all_systems["xgboost"]
    assert len(set(all_systems.values())) == len(frames.SYSTEMS)


def test_definitions_and_commands_load_without_matplotlib_and_jinja() -> None:
    code = (
        "import sys, nba_predictions.definitions, nba_predictions.cli;"
        "print([m for m in ('matplotlib', 'jinja2') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=CEILING_SECONDS,
    )
    assert loaded.stdout.splitlines()[-1] == "[]"


def test_quantization_keeps_white_and_the_color_of_a_single_marker() -> None:
    image = Image.open(io.BytesIO(plots.error_by_date(frames.by_date(1)))).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3).astype(int)
    assert pixels[0].tolist() == [255, 255, 255]
    for color, _ in drawing._STYLES.values():
        expected = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        assert np.abs(pixels - expected).sum(axis=1).min() < 12
