"""Files that expand to more than a process can hold, and files on which polars panics."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.file_limits import FileTooLargeError, check_csv_size, check_parquet_size
from nba_predictions.inputs.reading import oldest_date, read_table

MEGABYTE = 1 << 20


def write_bomb(path: Path) -> None:
    """Write a small file that expands to more than five gigabytes."""
    if path.suffix == ".parquet":
        rows = pa.table({"PTS": pa.nulls(20_000_000, pa.int8())})
        with pq.ParquetWriter(path, rows.schema) as writer:
            for _ in range(17):
                writer.write_table(rows)
    else:
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(b"PTS,MIN\n")
            for _ in range(330):
                file.write(b"," * MEGABYTE)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_decompression_bomb_is_refused_with_its_size_and_the_limit(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"player_game_logs{suffix}"
    write_bomb(path)
    assert path.stat().st_size < 5 * MEGABYTE
    with pytest.raises(SourceDataError) as raised:
        read_table(path, ["PTS"])
    message = str(raised.value)
    assert message.startswith(f"{path.name}: it expands to ")
    assert "the limit is 4.0 GB" in message
    assert "split the file" in message
    assert oldest_date([path], "PTS") is None


def test_only_the_columns_that_are_read_count(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": list(range(1000)), "b": ["long " * 50] * 1000}), path)
    check_parquet_size(path, ["a"], limit=30_000)
    with pytest.raises(FileTooLargeError):
        check_parquet_size(path, limit=30_000)
    with pytest.raises(FileTooLargeError):
        check_parquet_size(path, ["a"], limit=10_000)


def test_a_compressed_csv_file_within_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path, ["a"]).frame.to_dicts() == [{"a": "1"}]
    with pytest.raises(FileTooLargeError):
        check_csv_size(path, limit=20)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_panic_of_polars_is_an_error_with_the_name_of_the_file(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"player_game_logs{suffix}"
    frame = pl.DataFrame({"PTS": [1]})
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path)

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("range end index 9 out of range")

    for reader in ("read_csv", "scan_csv", "scan_parquet"):
        monkeypatch.setattr(pl, reader, panic)
    with pytest.raises(SourceDataError, match=rf"{path.name}: .*range end index 9"):
        read_table(path, ["PTS"])
    assert oldest_date([path], "PTS") is None
