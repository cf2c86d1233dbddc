"""Read a file of any format: undo its compression, and parse it as JSON, a table or a PDF."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa

from nba_predictions.file_limits import FileTooLargeError, check_parquet_size
from nba_predictions.inputs.importing.values import ConversionError, Node, slug

#: The largest content of a document. A season of box scores in JSON has about 6 MB.
LARGEST_DOCUMENT_BYTES: Final = 512 * 1024**2
_COMPRESSIONS: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_PDF: Final = b"%PDF"
_PARQUET: Final = b"PAR1"
_SEPARATORS: Final = ",;\t|"
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Table:
    """Rows with named columns. `name` is that of the data set, empty if it has none."""

    name: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]

    def named(self, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the columns that exist under one of their names.

        Args:
            names: the possible names of each column, reduced to letters and digits, best first.
        """
        by_slug = {slug(column): column for column in reversed(self.columns)}
        found = {
            name: next((by_slug[s] for s in slugs if s in by_slug), None)
            for name, slugs in names.items()
        }
        return {name: column for name, column in found.items() if column is not None}

    def nodes(self) -> list[Node]:
        """Return the rows, counted from 1."""
        return [Node(f"row {number}", row) for number, row in enumerate(self.rows, start=1)]


@dataclass(frozen=True)
class Document:
    """The content of a file: JSON in `root`, or a table, or a PDF. The others are None.

    `tables` are the tables of the document, also those in a JSON document.
    """

    name: str
    content: bytes
    root: Node | None = None
    table: Table | None = None

    @property
    def is_pdf(self) -> bool:
        return self.content.startswith(_PDF)

    @cached_property
    def tables(self) -> list[Table]:
        """Return all tables.

        Raises:
            ConversionError: a table of a stats answer is damaged.
        """
        if self.table is not None:
            return [self.table]
        return [] if self.root is None else tables_of(self.root.value)


def read_document(path: Path) -> Document:
    """Read and parse one file.

    Raises:
        ConversionError: the file is empty, damaged, too large, or neither JSON, table nor PDF.
        OSError: the file cannot be read.
    """
    return parse_document(path.name, _decompressed(path.read_bytes()))


def parse_document(name: str, content: bytes) -> Document:
    """Parse the content of a file that is not compressed.

    Raises:
        ConversionError: as in `read_document`.
    """
    if not content.strip():
        raise ConversionError("the file is empty; fetch or export it again")
    if content.startswith(_PDF):
        return Document(name, content)
    if content.startswith(_PARQUET):
        return Document(name, content, table=_parquet_table(content))
    text = _decoded(content)
    start = text.lstrip()[:1]
    if start == "<":
        raise ConversionError(
            "it is an HTML or XML page, for example an error page of a server; fetch it again"
        )
    if start in ("{", "[", '"'):
        root = _json(text)
        if root is not None:
            return Document(name, content, root=Node("", root))
    return Document(name, content, table=_csv_table(text))


def _decompressed(content: bytes) -> bytes:
    names = [name for magic, name in _COMPRESSIONS.items() if content.startswith(magic)]
    if names:
        try:
            with pa.input_stream(pa.BufferReader(content), compression=names[0]) as stream:
                content = stream.read(LARGEST_DOCUMENT_BYTES + 1)
        except (OSError, pa.ArrowException) as error:
            raise ConversionError(
                f"it cannot be decompressed ({_first_line(error)}); fetch it again"
            ) from error
    if len(content) > LARGEST_DOCUMENT_BYTES:
        raise ConversionError(f"it has more than {LARGEST_DOCUMENT_BYTES // 1024**2} MB; split it")
    return content


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConversionError(
            f"it is neither JSON, a table nor a PDF: byte {error.start + 1} is not UTF-8; "
            "save it as UTF-8, or export it again"
        ) from error


def _json(text: str) -> Any:
    """Return parsed JSON, also from JSON lines, and from JSON inside a JSON string.

    None if the text begins with a quote and is not JSON: it may be a CSV file.
    """
    try:
        value = _loads(text)
        if isinstance(value, str):
            value = _loads(value)
    except RecursionError:
        raise ConversionError("its JSON is nested too deeply; fetch it again") from None
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(
            line.startswith("{") and line.rstrip()[-1] == "}" for line in lines
        ):
            try:
                return [_loads(line) for line in lines]
            except (ValueError, RecursionError):
                pass
        if text.lstrip().startswith('"'):
            return None
        raise ConversionError(
            f"its JSON is damaged or cut off ({_first_line(error)}); fetch it again"
        ) from error
    if not isinstance(value, (dict, list)):
        raise ConversionError("its JSON is a single value; expected an object or a list")
    return value


def _loads(text: str) -> Any:
    """Return parsed JSON. Half of a surrogate pair, which no table can hold, becomes `?`."""
    value = json.loads(text)
    if _SURROGATE.search(text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


def _parquet_table(content: bytes) -> Table:
    try:
        check_parquet_size(pa.BufferReader(content))
        frame = pl.read_parquet(io.BytesIO(content))
        return Table("", tuple(frame.columns), frame.to_dicts())
    except FileTooLargeError as error:
        raise ConversionError(f"{error}; split the file") from error
    except (
        OSError,
        OverflowError,
        ValueError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        pa.ArrowException,
    ) as error:
        raise ConversionError(
            f"it is a damaged Parquet file ({_first_line(error)}); export it again"
        ) from error


def _csv_table(text: str) -> Table:
    header = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ConversionError(f"it is a damaged CSV file ({error}); export it again") from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    columns = [cell.strip() for cell in lines[0]] if lines else []
    if len(columns) < 2:
        raise ConversionError("it is neither JSON, a table with several columns, nor a PDF")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            raise ConversionError(
                f"row {number} has {len(line)} cells for {len(columns)} columns; the file is cut "
                "off, or a value with the separator is not quoted; export it again"
            )
    return _table("", columns, lines[1:])


def _table(name: str, columns: list[str], rows: list[list[Any]]) -> Table:
    return Table(name, tuple(columns), [dict(zip(columns, row, strict=True)) for row in rows])


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def tables_of(value: Any) -> list[Table]:
    """Return the tables of a JSON value: a stats answer, or an export of data frames.

    Raises:
        ConversionError: a result set is damaged.
    """
    for key in ("resultSets", "resultSet"):
        answers = value if isinstance(value, list) else [value]
        if answers and all(isinstance(answer, dict) and key in answer for answer in answers):
            return [table for answer in answers for table in _result_sets(Node(key, answer[key]))]
    for shape in (_records, _split, _normalized, _columns):
        tables = shape(value)
        if tables:
            return tables
    return []


def _result_sets(node: Node) -> list[Table]:
    sets = [node] if isinstance(node.value, dict) else node.items()
    tables = []
    for result in sets:
        headers = [header.value for header in result["headers"].items()]
        if not all(isinstance(header, str) for header in headers):
            # Shooting splits have headers of several levels.
            continue
        name = result["name"].text() or ""
        rows = [
            row.value if isinstance(row.value, list) else [cell.value for cell in row.items()]
            for row in result["rowSet"].items()
        ]
        for number, row in enumerate(rows, start=1):
            if len(row) != len(headers):
                raise ConversionError(
                    f"row {number} of {name or result.path} has {len(row)} values for "
                    f"{len(headers)} headers; fetch it again"
                )
        tables.append(_table(name, headers, rows))
    return tables


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _records(value: Any) -> list[Table]:
    """Return a list of objects as a table."""
    if not value or not _is_records(value):
        return []
    columns = dict.fromkeys(str(key) for row in value for key in row)
    return [Table("", tuple(columns), value)]


def _split(value: Any) -> list[Table]:
    """Return an object with `columns` and `data` as a table."""
    if not isinstance(value, dict) or not {"columns", "data"} <= set(value):
        return []
    columns, rows = value["columns"], value["data"]
    fits = isinstance(columns, list) and isinstance(rows, list)
    if not fits or not all(isinstance(r, list) and len(r) == len(columns) for r in rows):
        raise ConversionError("`columns` and `data` do not fit each other; export it again")
    return [_table("", [str(column) for column in columns], rows)]


def _normalized(value: Any) -> list[Table]:
    """Return the named lists of objects of an object as tables."""
    if not isinstance(value, dict):
        return []
    return [Table(str(name), t.columns, t.rows) for name in value for t in _records(value[name])]


def _columns(value: Any) -> list[Table]:
    """Return an object of columns as a table; its rows are in objects or lists."""
    if not isinstance(value, dict) or not value:
        return []
    members = list(value.values())
    if all(isinstance(m, list) for m in members) and len({len(m) for m in members}) == 1:
        value = {name: dict(enumerate(member)) for name, member in value.items()}
    elif not all(isinstance(member, dict) for member in members):
        return []
    if all(str(name).isdigit() for name in value):
        return _records(list(value.values()))
    labels = dict.fromkeys(label for member in value.values() for label in member)
    rows = [{str(name): value[name].get(label) for name in value} for label in labels]
    return [Table("", tuple(map(str, value)), rows)]
