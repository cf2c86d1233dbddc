"""Metadata for the Dagster UI: tables, plots and summaries of frames."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.parsing import Rejected
from nba_predictions.inputs.port import GAME_LOGS, INJURIES, PROP_LINES, SCHEDULE
from nba_predictions.orchestration import display
from nba_predictions_tests.examples import Skip, slate_of, slate_player


def test_a_plot_that_cannot_be_drawn_is_logged_and_does_not_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> bytes:
        raise ZeroDivisionError("no <fonts>")

    shown = display.picture(broken, "distributions")
    assert shown.md_str == "not drawn: ZeroDivisionError: no &lt;fonts&gt;"
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["severity"]) == ("plot_failed", "WARNING")
    assert "ZeroDivisionError" in line["message"]


def test_a_plot_is_embedded_as_a_data_uri() -> None:
    shown = display.picture(lambda: b"png", "an alternative")
    assert shown.md_str == "![an alternative](data:image/png;base64,cG5n)"


def test_a_table_without_rows_is_none() -> None:
    assert display.table(pl.DataFrame(schema={"a": pl.Int64})).md_str == "none"
    assert display.table(pl.DataFrame({"a": [1]})).md_str == "| a |\n|---:|\n| 1 |"


@pytest.mark.parametrize("columns", [GAME_LOGS, SCHEDULE, PROP_LINES, INJURIES])
def test_every_input_without_rows_has_a_summary(
    columns: dict[str, pl.DataType | type[pl.DataType]],
) -> None:
    summary = display.input_frame(pl.DataFrame(schema=columns))
    assert summary["dagster/row_count"] == 0
    assert "newest" not in summary


def test_the_outcome_of_input_rows_is_shown_by_file() -> None:
    rejected = tuple(Rejected("a.csv", n, "PTS", f"{n} | is wrong; fix it") for n in range(1, 31))
    shown = display.input_accounts(
        [
            InputAccount("schedule", "a.csv", True, 40, 3, 2, rejected, {"blank": 4, "x": 1}),
            InputAccount("unknown", "b.txt", False, note=".txt is not read"),
        ]
    )
    files, unread, first = (
        str(shown[name].md_str)  # type: ignore[union-attr]
        for name in ("files", "unread_files", "first_rejected_rows")
    )
    assert "| a.csv |" in files
    assert "| blank: 4, x: 1 |" in files
    assert "b.txt" not in files
    assert "| b.txt | .txt is not read |" in unread
    assert shown["rejected_rows"] == 30
    assert first.count("is wrong; fix it") == 20
    assert display.input_accounts([])["rejected_rows"] == 0


def test_lines_are_counted_by_book() -> None:
    lines = pl.DataFrame(
        [
            {"game_date": date(2026, 1, 1), "player_lookup": lookup, "book": book, "line_source": s}
            for lookup, book, s in (
                ("paulgeorge", "a", "sportsbook"),
                ("paulgeorge", "b", "dfs"),
                ("lukadoncic", "a", "sportsbook"),
            )
        ],
        schema=PROP_LINES,
    )
    summary = display.input_frame(lines)
    assert (summary["dagster/row_count"], summary["players"], summary["newest"]) == (
        3,
        2,
        "2026-01-01",
    )
    by_book = summary["by_book"]
    assert not isinstance(by_book, int | str)
    assert str(by_book.value).splitlines()[2:] == ["| a | sportsbook | 2 |", "| b | dfs | 1 |"]


def test_missing_values_are_counted_by_feature_with_the_largest_first() -> None:
    features = pl.DataFrame({"a": [1.0, None, None, 2.0], "b": [None] * 4, "c": [1.0] * 4})
    found = display.missing_values(features, ("a", "b", "c", "unknown"))
    assert found.rows() == [("b", 4, 1.0), ("a", 2, 0.5)]


def test_a_model_card_has_a_row_per_system_with_or_without_metrics() -> None:
    card = {"metrics": {"xgboost": {"mean_absolute_error": 4.8}, "ensemble": {"bias": 0.1}}}
    found = display.model_table(card, {"xgboost": 0.7, "similarity": 0.3})
    assert found.rows(named=True) == [
        {
            "system_id": name,
            "weight_in_ensemble": weight,
            "bias": bias,
            "mean_absolute_error": error,
        }
        for name, weight, bias, error in (
            ("ensemble", None, 0.1, None),
            ("similarity", 0.3, None, None),
            ("xgboost", 0.7, None, 4.8),
        )
    ]
    assert display.model_table({}, {}).is_empty()


def test_a_slate_is_counted_by_game() -> None:
    players = [
        slate_player("lukadoncic", "31.5"),
        slate_player("paulgeorge", "22.5"),
        slate_player("zachcollins", None),
    ]
    found = display.slate_by_game(slate_of(players, [Skip("joelembiid", "OUT")]))
    assert found.rows() == [("20260101_PHI_DAL", "PHI", "DAL", "points", 3, 2, 27.0)]
