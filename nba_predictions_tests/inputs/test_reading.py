"""Formats and names of files, the true cause for each file that cannot be read, and size limits."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.file_limits import FileTooLargeError, check_csv_size, check_parquet_size
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.reading import list_folder, oldest_date, read_table
from nba_predictions_tests.inputs.test_files import DAY, error_of, log_row

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


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
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


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def logs_csv() -> bytes:
    return pl.DataFrame([log_row(), log_row(PLAYER_ID="2")]).write_csv().encode()


def logs_parquet(path: Path) -> bytes:
    pl.DataFrame([log_row(), log_row(PLAYER_ID="2")]).write_parquet(path)
    return path.read_bytes()


# --- formats and names


@pytest.mark.parametrize(
    "name",
    [
        "player_game_logs.csv",
        "player_game_logs.CSV",
        "player_game_logs.csv.gz",
        "player_game_logs_2024-25.CSV.GZ",
        "player_game_logs.v2.csv.zst",
        "player_game_logs[1].csv",
        "player_game_logs [1] (2)*?.csv.gz",
        "player_game_logs{a,b}.parquet",
        "player_game_logs[1].Parquet",
    ],
)
@pytest.mark.parametrize("folder", ["data", "data[1]*"])
def test_files_of_all_formats_and_names_are_read(tmp_path: Path, name: str, folder: str) -> None:
    path = tmp_path / folder / name
    path.parent.mkdir()
    suffix = path.suffix.lower()
    content = logs_csv()
    if suffix == ".parquet":
        content = logs_parquet(path)
    elif suffix == ".gz":
        content = gzip.compress(content)
    elif suffix == ".zst":
        content = zstd(content)
    path.write_bytes(content)
    source = FilesSource(path.parent)
    assert source.game_logs(DAY).height == 2
    assert str(source.first_date) == "2025-01-08"
    assert [a.path for a in source.accounts(DAY)] == [name]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + logs_csv().replace(b"\n", b"\r\n")
    (tmp_path / "player_game_logs.csv").write_bytes(content)
    assert FilesSource(tmp_path).game_logs(DAY)["pf"].to_list() == [2, 2]


def test_files_are_in_natural_order(tmp_path: Path) -> None:
    names = ["", "_1", "_2", "_10", "_10_b", "_2024-25", "_2025-01-08_again"]
    for name in sorted(names):
        (tmp_path / f"injuries{name}.csv").touch()
    listed = [path.name for path in list_folder(tmp_path).tables["injuries"]]
    assert listed == [f"injuries{name}.csv" for name in names]


# --- files that are not read


@pytest.mark.parametrize(
    ("name", "kind", "note"),
    [
        ("Points_Lines.csv", "points_lines", "did you mean points_lines.csv?"),
        ("points-line 2025.csv.gz", "points_lines", "did you mean points_lines 2025.csv.gz?"),
        ("player_game_log_2024-25.csv", "player_game_logs", "player_game_logs_2024-25.csv?"),
        ("game_schedule.parquet", "schedule", "did you mean schedule.parquet?"),
        ("injury.csv", "injuries", "did you mean injuries.csv?"),
        ("Injury-Report_2025-01-10_05PM.pdf", "injuries", "nba-predictions import"),
        ("points_lines.json", "points_lines", "nba-predictions import"),
        ("points_lines.json.gz", "points_lines", "nba-predictions import"),
        ("schedule.xlsx", "schedule", ".xlsx is not read; write it as .csv or .parquet"),
        ("schedule", "schedule", "a file without a suffix is not read"),
        ("schedule.csv.bz2", "schedule", ".csv.bz2 is not read; decompress it"),
        ("schedule.zip", "schedule", ".zip is not read; decompress it"),
        ("teams.csv", "unknown", "begin the name with player_game_logs"),
        ("2025.csv", "unknown", "no kind of input has this name"),
        ("notes.txt", "unknown", ".txt is not read"),
    ],
)
def test_a_file_that_is_not_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, kind: str, note: str
) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv())
    (tmp_path / name).write_bytes(b"x")
    _, account = FilesSource(tmp_path).accounts(DAY)
    assert (account.kind, account.path, account.read) == (kind, name, False)
    assert note in account.note
    assert (account.rows, account.dropped) == (0, {})


def test_a_folder_is_named_and_hidden_files_and_readmes_are_not(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv())
    (tmp_path / "old").mkdir()
    (tmp_path / "schedule.csv").mkdir()
    for name in (".DS_Store", "README.md", "README"):
        (tmp_path / name).write_bytes(b"x")
    unread = list_folder(tmp_path).unread
    assert [(a.path, a.kind) for a in unread] == [("old", "unknown"), ("schedule.csv", "schedule")]
    assert all("folders are not read" in a.note for a in unread)


def test_a_pipe_and_a_link_without_a_target_are_named_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv())
    os.mkfifo(tmp_path / "points_lines.csv")
    (tmp_path / "schedule.csv").symlink_to(tmp_path / "missing.csv")
    source = FilesSource(tmp_path)
    _, *unread = source.accounts(DAY)
    assert [a.path for a in unread] == ["points_lines.csv", "schedule.csv"]
    assert all("not a regular file" in a.note for a in unread)
    assert source.prop_lines(DAY).is_empty()


# --- the true cause


@pytest.mark.parametrize(
    ("separator", "shown"), [(";", "`;`"), ("\t", "tabs"), ("|", "`|`")], ids=["; ", "tab", "pipe"]
)
@pytest.mark.parametrize("quoted", [False, True])
def test_another_separator_is_the_cause(
    tmp_path: Path, separator: str, shown: str, quoted: bool
) -> None:
    text = pl.DataFrame([log_row()]).write_csv(
        separator=separator, quote_style="always" if quoted else "necessary"
    )
    (tmp_path / "player_game_logs.csv").write_text(text)
    message = error_of(FilesSource(tmp_path))
    assert f"the columns are separated by {shown}, not by a comma (its one column is" in message
    assert "FGM" in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_the_cause(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv().decode().encode(encoding))
    assert "the text is in UTF-16, not in UTF-8" in error_of(FilesSource(tmp_path))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_latin_1_is_the_cause(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    rows = [log_row(PLAYER_NAME="Jose"), log_row(PLAYER_NAME="José")]
    text = pl.DataFrame(rows).write_csv()
    path = tmp_path / f"player_game_logs.csv{'' if compress is bytes else '.gz'}"
    path.write_bytes(compress(text.encode("latin-1")))
    message = error_of(FilesSource(tmp_path))
    assert "the text is not in UTF-8 (byte 0xE9 in row 2), but probably in Latin-1" in message


@pytest.mark.parametrize("name", ["player_game_logs.csv", "injuries.csv", "schedule.csv"])
def test_a_missing_header_is_the_cause(tmp_path: Path, name: str) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv())
    rows = {
        "player_game_logs.csv": logs_csv().partition(b"\n")[2],
        "injuries.csv": b"2025-01-10,A B,Out,Knee\n2025-01-10,C D,Out,\n",
        "schedule.csv": b"2025-01-10,BOS,NYK\n",
    }
    (tmp_path / name).write_bytes(rows[name])
    message = error_of(FilesSource(tmp_path), name.removesuffix(".csv"))
    assert message.startswith(f"{name}: the file has no header: its first row is data (")


def test_a_column_in_another_case_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv().replace(b"PTS", b"pts "))
    message = error_of(FilesSource(tmp_path))
    assert "column PTS is missing (did you mean 'pts '?)" in message
    assert "the columns are FGM, FGA, FG3M" in message


def test_a_repeated_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "player_game_logs.csv").write_bytes(logs_csv().replace(b"STL", b"PTS", 1))
    assert "column PTS appears 2 times" in error_of(FilesSource(tmp_path))


def test_an_open_quotation_mark_does_not_swallow_rows(tmp_path: Path) -> None:
    rows = [log_row(PLAYER_ID=str(n), PLAYER_NAME=name) for n, name in enumerate("abcdef")]
    text = pl.DataFrame(rows).write_csv().replace(",b,", ',"b,').replace(",e,", ',e",')
    (tmp_path / "player_game_logs.csv").write_text(text)
    message = error_of(FilesSource(tmp_path))
    assert message.startswith("player_game_logs.csv")


@pytest.mark.parametrize("damage", [slice(None, -20), slice(20, None)])
@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("zst", zstd)])
def test_a_damaged_compressed_file_is_refused(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], damage: slice
) -> None:
    name = f"player_game_logs.csv.{suffix}"
    (tmp_path / name).write_bytes(compress(logs_csv())[damage])
    assert error_of(FilesSource(tmp_path)).startswith(name)


def test_a_column_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "player_game_logs.parquet"
    path.write_bytes(logs_parquet(path).replace(b"SEASON_ID", b"SEASON\x80ID"))
    assert error_of(FilesSource(tmp_path)).startswith("player_game_logs.parquet: cannot be read")
