"""The past lines of training: those of held-out dates, each date queried once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nba_predictions.domain.betting.lines import fair_over
from nba_predictions.inputs.port import PROP_LINES
from nba_predictions.training.cutoff import held_out_since
from nba_predictions.training.model_selection import models_of_date
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.past_lines import MOST_DAYS, PAST_LINES, past_lines
from nba_predictions_tests.systems.league import play_league

HISTORY = play_league(8, dates=60)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[50]


def quote(day: date, lookup: str, line: str, over: int, under: int) -> list[dict[str, object]]:
    return [
        {
            "game_date": day,
            "player_lookup": lookup,
            "player_name": lookup,
            "market": "points",
            "book": "book",
            "line_source": "sportsbook",
            "side": side,
            "line": Decimal(line),
            "price": price,
            "away_team": "AAA",
            "home_team": "BBB",
            "quoted_on": None,
        }
        for side, price in (("Over", over), ("Under", under))
    ]


@dataclass
class Books:
    """A source that quotes all players who played, with the same line for all."""

    line: str = "12.5"
    changed: dict[date, str] = field(default_factory=dict)
    asked: list[date] = field(default_factory=list)
    suffix: str = ""

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        self.asked.append(game_date)
        names = HISTORY.filter(pl.col("game_date") == game_date)["player_lookup"].to_list()
        line = self.changed.get(game_date, self.line)
        rows = [
            row for name in names for row in quote(game_date, name + self.suffix, line, -130, 110)
        ]
        return pl.DataFrame(rows, schema=PROP_LINES)


def test_each_held_out_date_is_queried_once() -> None:
    books = Books()
    lines = past_lines(books, HISTORY, CUTOFF)
    since = held_out_since(HISTORY, CUTOFF)
    assert books.asked == [day for day in DATES if since <= day < CUTOFF]
    assert 5 < len(books.asked) < 50
    assert lines.schema == pl.Schema(PAST_LINES)
    played = HISTORY.filter((pl.col("game_date") >= since) & (pl.col("game_date") < CUTOFF))
    assert lines.height == played.height
    assert set(lines["base_line"]) == {12.5}
    assert lines["fair_over"][0] == pytest.approx(fair_over(-130, 110), abs=1e-6)


def test_lines_older_than_a_season_are_not_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books()
    monkeypatch.setattr("nba_predictions.training.past_lines.MOST_DAYS", timedelta(days=9))
    past_lines(books, HISTORY, CUTOFF)
    assert min(books.asked) >= CUTOFF - timedelta(days=9)
    assert timedelta(days=150) < MOST_DAYS


def test_a_books_name_for_a_player_is_resolved_to_the_box_scores() -> None:
    # The box scores have "player0x0", but not "player0x0jr".
    lines = past_lines(Books(suffix="jr"), HISTORY, CUTOFF)
    assert lines.height > 0
    assert set(lines["player_lookup"]) <= set(HISTORY["player_lookup"])
    assert past_lines(Books(suffix="zz"), HISTORY, CUTOFF).is_empty()


def test_past_lines_change_the_models_and_tonights_lines_do_not(
    tmp_path: Path,
) -> None:
    store = ModelStore(tmp_path)
    name = models_of_date(CUTOFF, HISTORY, store, Books()).name
    again = models_of_date(CUTOFF, HISTORY, store, Books())
    assert (again.name, again.trained_now) == (name, False)
    for tonight in (CUTOFF, DATES[55]):
        same = models_of_date(CUTOFF, HISTORY, store, Books(changed={tonight: "3.5"}))
        assert same.name == name
    eve = Books(changed={DATES[49]: "3.5"})
    assert models_of_date(CUTOFF, HISTORY, store, eve).name != name
    unlined = models_of_date(CUTOFF, HISTORY, store)
    assert unlined.name != name
    assert unlined.models.card["lines"] == 0
    assert again.models.card["lines"] > 0
