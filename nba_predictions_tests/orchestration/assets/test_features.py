"""The asset `player_features`: the arguments of the feature builder."""

from __future__ import annotations

from datetime import date

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Skip, Slate
from nba_predictions.features.build import build_features
from nba_predictions.nightly.slate import slate_frame
from nba_predictions.orchestration.assets.features import player_features
from nba_predictions_tests.examples import game, slate_player
from nba_predictions_tests.systems.league import play_league

HISTORY = play_league(1, dates=30)
NIGHT = date(2024, 2, 1)


def test_players_who_are_reported_out_are_missing_from_the_line_up_of_their_teammates() -> None:
    last = HISTORY.filter(pl.col("team") == "TA").sort("game_date")["game_date"][-1]
    played = HISTORY.filter((pl.col("team") == "TA") & (pl.col("game_date") == last))
    star, mate = played["player_lookup"].sort()[:2]
    asked = slate_player(mate, None, on=NIGHT, team="TA", opponent="TB")

    def features(*skips: Skip) -> pl.DataFrame:
        slate = Slate(NIGHT, (game(on=NIGHT),), (asked,), skips)
        with dg.build_asset_context(partition_key=NIGHT.isoformat()) as context:
            found = player_features(context, HISTORY, slate)
        assert isinstance(found, pl.DataFrame)
        return found

    out = features(Skip(star, "injury_report: OUT"))
    frame = slate_frame(Slate(NIGHT, (), (asked,), ()))
    assert out.equals(build_features(HISTORY, frame, {star}))
    assert out["lineup_points_last"][0] < features()["lineup_points_last"][0]
    # An unknown name is skipped too, but it is not an absence.
    assert features(Skip(star, "unknown_player: no box score has this name")).equals(features())
