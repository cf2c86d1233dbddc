"""Promotions: the models in force, challenges, rollbacks, and the command `models`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from nba_predictions import cli
from nba_predictions.backtest.challenge import challenge
from nba_predictions.domain.errors import ModelError
from nba_predictions.domain.policies.promotion import MIN_PLAYER_GAMES
from nba_predictions.systems.base import Calibration
from nba_predictions.systems.registry import SYSTEMS
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.fitting import DEFAULT_WEIGHTS
from nba_predictions.training.model_selection import models_of_date
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotion, Promotions
from nba_predictions_tests.backtest.conftest import LEAGUE
from nba_predictions_tests.leagues import write_files
from nba_predictions_tests.systems.league import play_league

EARLY, LATE, UNTIL = date(2025, 10, 27), date(2025, 10, 30), date(2025, 11, 7)


def models(cutoff: date, scale: float = 0.97) -> TrainedModels:
    """Return models without trees. `scale` sets how high their forecasts are."""
    calibrations = {s.system_id: Calibration(scale=scale) for s in SYSTEMS if not s.members}
    card = {"cutoff": cutoff.isoformat(), "rows": 100}
    return TrainedModels(cutoff.isoformat(), {}, calibrations, DEFAULT_WEIGHTS, None, card)


def promotion(name: str, cutoff: date = EARLY) -> Promotion:
    return Promotion(name, cutoff.isoformat(), "2025-11-01T12:00:00+00:00", "test")


def test_before_the_first_promotion_no_models_are_in_force(tmp_path: Path) -> None:
    promotions = Promotions(tmp_path / "models")
    assert (promotions.read(), promotions.in_force()) == ([], None)
    assert promotions.serving(LATE) is None
    with pytest.raises(ModelError, match="no models are promoted"):
        promotions.roll_back()
    assert not (tmp_path / "models").exists()


def test_a_rollback_restores_the_promotion_before(tmp_path: Path) -> None:
    promotions = Promotions(tmp_path)
    first, second = promotion("first"), promotion("second")
    promotions.promote(first)
    promotions.promote(second)
    assert Promotions(tmp_path).in_force() == second
    assert promotions.roll_back() == second
    assert promotions.in_force() == first
    assert promotions.roll_back() == first
    assert promotions.in_force() is None
    assert [p.name for p in tmp_path.iterdir()] == ["promotions.json"]


def test_models_that_may_include_a_date_never_predict_it(tmp_path: Path) -> None:
    promotions = Promotions(tmp_path)
    promotions.promote(promotion("early", EARLY))
    promotions.promote(promotion("late", LATE))
    serving = {day: promotions.serving(day) for day in (date(2025, 10, 26), EARLY, LATE)}
    assert [p and p.name for p in serving.values()] == [None, "early", "late"]


def test_the_error_of_an_unreadable_record_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "promotions.json").write_text("[{", "utf-8")
    with pytest.raises(ModelError, match=r"promotions\.json cannot be read"):
        Promotions(tmp_path).in_force()


HISTORY = play_league(dates=6)
DAY = date(2023, 11, 20)


def test_promoted_models_predict_and_those_of_the_week_are_trained_too(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    own = models_of_date(DAY, HISTORY, store)
    assert not own.promoted
    store.save("promoted", models(date(2023, 11, 1)))
    Promotions(tmp_path).promote(promotion("promoted", date(2023, 11, 1)))
    found = models_of_date(DAY, HISTORY, store)
    assert (found.name, found.promoted) == ("promoted", True)
    assert found.models.version == "2023-11-01"
    tomorrow = models_of_date(date(2023, 11, 21), HISTORY, store)
    assert tomorrow.promoted
    assert len(store.names()) == 3
    # Dates before the cutoff of the promoted models are predicted by the models of their week.
    assert not models_of_date(date(2023, 10, 31), HISTORY, store).promoted


@pytest.mark.parametrize("damage", ["gone", "of_other_features"])
def test_promoted_models_that_cannot_be_used_are_logged_and_those_of_the_week_predict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    store = ModelStore(tmp_path)
    own = models_of_date(DAY, HISTORY, store)
    Promotions(tmp_path).promote(promotion("promoted", date(2023, 11, 1)))
    if damage != "gone":
        (tmp_path / "promoted.zip").write_bytes(b"of an earlier version")
    found = models_of_date(DAY, HISTORY, store)
    assert (found.name, found.promoted) == (own.name, False)
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["event"], line["severity"]) == ("promoted_models_unusable", "WARNING")
    assert (line["models"], line["instead"]) == ("promoted", own.name)


@dataclass(frozen=True)
class Desk:
    """A home with models, and its command line."""

    store: ModelStore
    run: Callable[..., tuple[int, str, str]]

    @property
    def in_force(self) -> str | None:
        found = Promotions(self.store.folder).in_force()
        return None if found is None else found.name


@pytest.fixture
def desk(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    """Return a home with games of two weeks, and models: near, high, and far too high."""
    write_files(LEAGUE, tmp_path / "files", ["2025-26"], logs_before=UNTIL)
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(tmp_path / "files"))
    store = ModelStore(home / "models")
    store.save("near", models(LATE))
    store.save("high", models(EARLY, scale=1.3))
    store.save("higher", models(LATE, scale=2.0))
    store.save("fresh", models(date(2025, 11, 6)))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["models", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return Desk(store, run)


def test_models_are_promoted_only_if_they_beat_those_in_force(desk: Desk) -> None:
    code, said, _ = desk.run("promote", "high")
    assert (code, desk.in_force) == (0, "high")
    assert "PROMOTED high: the first promotion" in said

    code, said, _ = desk.run("promote", "higher", "--until", UNTIL.isoformat())
    assert (code, desk.in_force) == (1, "high")
    assert "KEPT high: of higher, its error is" in said
    assert "points larger on" in said

    code, said, _ = desk.run("promote", "near", "--until", UNTIL.isoformat())
    assert (code, desk.in_force) == (0, "near")
    assert "PROMOTED near: its error is" in said

    code, said, _ = desk.run("rollback")
    assert (code, desk.in_force) == (0, "high")
    assert said.splitlines()[-1] == "ROLLED BACK near; IN FORCE high"


def test_too_few_unseen_games_promote_nothing_unless_forced(desk: Desk) -> None:
    desk.run("promote", "near")
    code, said, _ = desk.run("promote", "fresh", "--until", UNTIL.isoformat())
    assert (code, desk.in_force) == (1, "near")
    assert "too few to compare" in said
    code, _, _ = desk.run("promote", "fresh", "--force")
    assert (code, desk.in_force) == (0, "fresh")
    assert "by force" in Promotions(desk.store.folder).read()[-1].reason


def test_the_list_names_the_models_in_force_and_shows_unreadable_ones(desk: Desk) -> None:
    (desk.store.folder / "broken.zip").write_bytes(b"not a zip")
    assert desk.run("list")[1].splitlines()[-1] == "IN FORCE each week's own models"
    desk.run("promote", "near")
    code, said, _ = desk.run("list")
    assert code == 0
    assert said.splitlines()[-1] == "IN FORCE near"
    assert all(f" {name} " in said for name in ("near", "high", "higher", "fresh", "broken"))


@pytest.mark.parametrize(
    ("before", "asked", "says"),
    [
        ([], ["promote", "nothing"], "no such models in"),
        ([], ["rollback"], "each week uses its own models already"),
        (["promote", "near"], ["promote", "near"], "near are in force already"),
    ],
)
def test_errors_of_the_command(desk: Desk, before: list[str], asked: list[str], says: str) -> None:
    if before:
        desk.run(*before)
    code, _, error = desk.run(*asked)
    assert code == 2
    assert says in error


# ------------------------------------------------------------------------ the weekly challenge

MONDAY = UNTIL


def test_the_first_models_are_promoted_without_a_comparison(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert challenge(LEAGUE, store, MONDAY).in_force is None
    store.save("2025-10-27-aa", models(EARLY))
    store.save("2025-11-10-bb", models(date(2025, 11, 10)))
    # The models of the next week may include games of this one.
    ended = challenge(LEAGUE, store, MONDAY)
    assert (ended.in_force, ended.promoted) == ("2025-10-27-aa", True)


@pytest.mark.parametrize(("scale", "promoted"), [(1.0, True), (2.0, False)])
def test_models_that_are_a_week_old_are_promoted_only_if_they_are_better(
    tmp_path: Path, scale: float, promoted: bool
) -> None:
    store = ModelStore(tmp_path)
    store.save("2025-10-27-aa", models(EARLY, scale=1.3))
    Promotions(tmp_path).promote(promotion("2025-10-27-aa", EARLY))
    store.save("2025-10-30-bb", models(LATE, scale=scale))
    # Trained this week: every game is in the training data.
    store.save("2025-11-06-cc", models(date(2025, 11, 6), scale=scale))
    ended = challenge(LEAGUE, store, MONDAY)
    assert (ended.challenger, ended.promoted) == ("2025-10-30-bb", promoted)
    assert ended.in_force == ("2025-10-30-bb" if promoted else "2025-10-27-aa")
    assert ended.decision is not None
    assert ended.decision.player_games >= MIN_PLAYER_GAMES
    again = challenge(LEAGUE, store, MONDAY)
    assert (again.in_force, again.promoted) == (ended.in_force, False)


def test_models_that_were_rolled_back_are_not_promoted_again_automatically(tmp_path: Path) -> None:
    store, promotions = ModelStore(tmp_path), Promotions(tmp_path)
    store.save("2025-10-27-aa", models(EARLY, scale=1.3))
    store.save("2025-10-30-bb", models(LATE))
    promotions.promote(promotion("2025-10-27-aa", EARLY))
    assert challenge(LEAGUE, store, MONDAY).in_force == "2025-10-30-bb"
    promotions.roll_back()
    assert challenge(LEAGUE, store, MONDAY).in_force == "2025-10-27-aa"
    # A person can promote them again.
    assert challenge(LEAGUE, store, MONDAY, "2025-10-30-bb", force=True).promoted
    assert [p.name for p in promotions.record()] == [
        *("2025-10-27-aa", "2025-10-30-bb", "2025-10-30-bb"),
    ]


def test_models_in_force_that_cannot_be_used_are_replaced(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    Promotions(tmp_path).promote(promotion("2025-10-27-gone", EARLY))
    store.save("2025-10-30-bb", models(LATE))
    ended = challenge(LEAGUE, store, MONDAY)
    assert (ended.in_force, ended.promoted) == ("2025-10-30-bb", True)
    assert "2025-10-27-gone cannot be used" in ended.reason
