"""Measure the cost of reading and checking game logs: FilesSource against a bare read.

    python -m bench.reading FOLDER [--rounds 5]

FOLDER has `player_game_logs*` files as Parquet, as docs/input-files.md describes.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from nba_predictions.inputs.files import FilesSource


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = sorted(options.folder.glob("player_game_logs*.parquet"))
    if not files:
        raise SystemExit(f"no player_game_logs*.parquet in {options.folder}")
    readers: dict[str, Callable[[], pl.DataFrame]] = {
        # A source caches the files, so each round has a new one.
        "FilesSource": lambda: FilesSource(options.folder).game_logs(date.max),
        "bare read": lambda: pl.concat([pl.read_parquet(f) for f in files], how="diagonal_relaxed"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for turn in range(options.rounds + 1):
        for name, read in readers.items():
            started = time.perf_counter()
            rows = read().height
            if turn:
                seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name:>12}: {statistics.median(times):6.3f} s, {rows} rows")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    print(f"{'ratio':>12}: {statistics.median(ratios):.1f} (FilesSource / bare read)")


if __name__ == "__main__":
    main()
