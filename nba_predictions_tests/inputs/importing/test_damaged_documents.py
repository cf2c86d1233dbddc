"""Arbitrary and damaged documents: rows, or an error with a reason, and never another exception."""

from __future__ import annotations

import copy
import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.importing.importer import Imported
from nba_predictions_tests.inputs.importing.payloads import (
    as_csv,
    as_parquet,
    box_score_v2,
    box_score_v3,
    espn_injuries,
    espn_scoreboard,
    espn_summary,
    imported,
    league_game_log,
    league_schedule,
    line_table,
    live_box_score,
    log_rows,
    odds_event,
    player_game_log,
    player_index,
    prizepicks,
    scoreboard,
    underdog,
)
from nba_predictions_tests.inputs.importing.reports import draw

DOCUMENTS: dict[str, Any] = {
    "league_game_log": league_game_log(),
    "player_game_log": player_game_log(),
    "box_score_v2": box_score_v2(),
    "box_score_v3": box_score_v3(),
    "live_box_score": live_box_score(),
    "records": log_rows(),
    "split": {"columns": list(log_rows()[0]), "data": [list(r.values()) for r in log_rows()]},
    "schedule": league_schedule(),
    "scoreboard": scoreboard(),
    "odds_event": odds_event(),
    "odds_snapshot": {"timestamp": "2025-01-10T16:35:00Z", "data": [odds_event()]},
    "prizepicks": prizepicks(),
    "underdog": underdog(),
    "espn_injuries": espn_injuries(),
    "espn_scoreboard": espn_scoreboard(),
    "espn_summary": espn_summary(),
    "player_index": player_index(),
}
TEXTS = {"logs.csv": as_csv(log_rows()), "lines.csv": line_table()}

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [{}]),
    st.sampled_from(
        [
            *("", " ", "nan", "-1", "1e400", "99999999999999999999", "2025-02-30", "@", "vs"),
            *("2025-01-11T25:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z"),
            *(10**400, -(10**18), 1e308, float("inf"), "PT99999M", "12:99", "\x00", "\ud800"),
        ]
    ),
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a JSON document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths_of(value[key], (*path, key))
    elif isinstance(value, list):
        for at in range(len(value)):
            yield from paths_of(value[at], (*path, at))


@st.composite
def changed_documents(draw_value: st.DrawFn) -> Any:
    """Return a document of which some values are replaced, removed, doubled or renamed."""
    document = copy.deepcopy(DOCUMENTS[draw_value(st.sampled_from(sorted(DOCUMENTS)))])
    for _ in range(draw_value(st.integers(1, 3))):
        *parents, last = draw_value(st.sampled_from(list(paths_of(document)) or [("",)]))
        parent = document
        for key in parents:
            parent = parent[key]
        change = draw_value(st.sampled_from(["replace", "remove", "double", "rename"]))
        if not parent:
            continue
        if change == "remove":
            del parent[last]
        elif change == "double" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        elif change == "rename" and isinstance(parent, dict):
            parent[f"{last}X"] = parent.pop(last)
        else:
            parent[last] = draw_value(VALUES)
    return document


def check(folder: Path, outcome: Imported) -> None:
    """Check that an outcome has rows or a reason, and that the source reads the rows or refuses."""
    if outcome.error:
        assert len(outcome.error) > 20
        assert outcome.output is None
        return
    assert (outcome.rows > 0) == (outcome.output is not None)
    assert outcome.rows or outcome.notes
    source = FilesSource(folder)
    for read in (source.prop_lines, source.schedule, source.injuries, source.game_logs):
        if outcome.output is not None:
            with suppress(SourceDataError):
                read(date(2025, 1, 10))


def check_import(**documents: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for outcome in imported(Path(folder), **documents).values():
            check(Path(folder) / "league", outcome)


@settings(max_examples=400, deadline=None)
@given(changed_documents())
@example({"records": [log_rows()[0], {**log_rows()[1], "PLAYER_NAME": "\ud800 Half"}]})
@example({**odds_event(), "home_team": "\ud800"})
@example({**odds_event(), "id": '"\\ud800"'})
def test_a_changed_document_gives_rows_or_a_reason(document: Any) -> None:
    check_import(document=json.dumps(document), schedule=league_schedule())


@settings(max_examples=100, deadline=None)
@given(st.recursive(VALUES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v)))
def test_arbitrary_json_gives_rows_or_a_reason(value: Any) -> None:
    check_import(document=json.dumps(value))


@lru_cache
def raw_documents() -> dict[str, bytes]:
    raw = {name: json.dumps(document).encode() for name, document in DOCUMENTS.items()}
    raw |= {name: text.encode() for name, text in TEXTS.items()}
    raw["logs.parquet"] = as_parquet(log_rows())
    raw["logs.gz"] = gzip.compress(raw["league_game_log"])
    return raw


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_bytes_give_rows_or_a_reason(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(list(raw_documents().values()))))
    content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_import(document=bytes(content))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_changed_pdf_gives_rows_or_a_reason(data: st.DataObject) -> None:
    content = bytearray(whole_report())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(5, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_import(report=bytes(content))


@lru_cache
def whole_report() -> bytes:
    return draw()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        ("<html><body>Access Denied</body></html>", "it is an HTML or XML page"),
        ('{"resultSets": [', "its JSON is damaged or cut off"),
        ("[" * 100_000, "its JSON is "),
        ('{"Message": "An error has occurred."}', "an error of a service (An error has occurred.)"),
        ('{"message": "Usage", "error_code": "OUT_OF_USAGE_CREDITS"}', "an error of a service"),
        ("{}", "it is a JSON object with nothing"),
        ("[]", "it is an empty JSON list"),
        ("[1, 2]", "it is a JSON list of int values"),
        ("a,b\n1,2\n", "it is a table with the columns a, b, which is no known format"),
        ("a,b\n1,2,3\n", "row 1 has 3 cells for 2 columns"),
        ("just text", "it is neither JSON"),
        (b"\xff\x00\x81", "it is neither JSON"),
        (gzip.compress(b"[" * 1000, mtime=0)[:-12], "it cannot be decompressed"),
        (b"PAR1 cut off", "it is a damaged Parquet file"),
    ],
)
def test_a_document_of_no_known_format_names_the_cause_and_the_formats(
    tmp_path: Path, document: bytes | str, reason: str
) -> None:
    error = imported(tmp_path, document=document)["document"].error
    assert reason in error
    assert "the known formats are: the injury report of the league (PDF); " in error
