"""Measure the cost of reading and checking the inputs of a night, against a bare read.

    python -m bench.inputs FOLDER [--date 2025-01-10] [--rounds 5]

FOLDER has input files as docs/input-files.md describes. The bare read is polars with the same
columns. The last line is `INPUTS rows=<n> seconds=<s> ratio_to_raw=<r>`, medians of all rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.reading import list_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--date", type=date.fromisoformat, default=date(2025, 1, 10))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    columns = FilesSource.columns()
    files = {
        path: columns[kind]
        for kind, paths in list_folder(options.folder).tables.items()
        for path in paths
    }

    def bare() -> None:
        for path, wanted in files.items():
            _bare_read(path, wanted)

    def night() -> None:
        # A source keeps what it has read, so each round has a new one.
        source = FilesSource(options.folder)
        source.game_logs(options.date)
        source.schedule(options.date)
        source.prop_lines(options.date)
        source.injuries(options.date)

    seconds: list[list[float]] = [[], []]
    readers: tuple[Callable[[], None], ...] = (night, bare)
    for turn in range(options.rounds + 1):
        for times, read in zip(seconds, readers, strict=True):
            started = time.perf_counter()
            read()
            if turn:
                times.append(time.perf_counter() - started)
    of_night, of_bare = map(statistics.median, seconds)
    rows = sum(account.rows for account in FilesSource(options.folder).accounts(options.date))
    print(f"bare read: {of_bare:.3f} s")
    print(f"INPUTS rows={rows} seconds={of_night:.3f} ratio_to_raw={of_night / of_bare:.1f}")


def _bare_read(path: Path, wanted: tuple[str, ...]) -> pl.DataFrame:
    if path.suffix.lower() == ".parquet":
        names = pl.read_parquet_schema(path)
        return pl.read_parquet(path, columns=[c for c in wanted if c in names], glob=False)
    return pl.read_csv(path, infer_schema=False, glob=False).select(
        pl.col(f"^({'|'.join(wanted)})$")
    )


if __name__ == "__main__":
    main()
