"""Assets `slate` and `player_features`: the expected players, their lines and their features."""

from dataclasses import asdict, replace

import dagster as dg
import polars as pl

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.features.build import FEATURES, build_features, market_features
from nba_predictions.nightly.slate import load_slate, slate_frame
from nba_predictions.orchestration import display
from nba_predictions.orchestration.as_of import predicts_begun_games, run_as_of
from nba_predictions.orchestration.assets.ingestion import League
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.partitions import asset_of_date, game_date_of
from nba_predictions.report.night import inputs_table, reasons_table, unmatched_table


@asset_of_date("features", {"python"}, io_manager_key="values")
def slate(
    context: dg.AssetExecutionContext,
    game_logs: pl.DataFrame,
    schedule: pl.DataFrame,
    prop_lines: pl.DataFrame,
    injuries: pl.DataFrame,
    league: League,
    batches: Batches,
) -> Slate:
    """The players who are expected to play, with their lines, and the skipped players.

    If this asset fails, the inputs contradict each other, and the error says where. If the slate
    looks too short, see its metadata: games, players by game, lines and skips. Games that have
    begun are left alone.
    """
    game_date = game_date_of(context.partition_key)
    as_of = run_as_of(context, league, batches)
    known = league.known_at(as_of)
    tonight = replace(
        load_slate(
            game_date,
            game_logs,
            schedule,
            prop_lines,
            injuries,
            roster=known.roster(game_date),
            as_of=as_of,
            begun_games=predicts_begun_games(context),
        ),
        inputs=tuple(each.summary() for each in known.accounts(game_date)),
        # A run that was paused with this slate must not replace a batch of a newer one.
        sequence=batches.next_sequence(game_date),
    )
    context.add_output_metadata(
        {
            "games": len(tonight.games),
            "players": len(tonight.players),
            "with_line": tonight.with_line,
            "without_line": len(tonight.players) - tonight.with_line,
            "skipped": len(tonight.skips),
            "skips": display.table(
                reasons_table({skip.player_lookup: skip.reason for skip in tonight.skips})
            ),
            "by_game": display.table(display.slate_by_game(tonight)),
            "quotes_off_slate": tonight.quotes_off_slate,
            "unmatched_names": display.table(unmatched_table(map(asdict, tonight.unmatched))),
            "inputs": display.table(inputs_table(map(asdict, tonight.inputs))),
            "as_of": str(tonight.as_of),
            "begun_games": ", ".join(sorted(tonight.begun)) or "none",
            "players_left_alone": len(tonight.left_alone),
        }
    )
    return tonight


@asset_of_date("features", {"polars"}, owner="data-science", io_manager_key="frames")
def player_features(
    context: dg.AssetExecutionContext, game_logs: pl.DataFrame, slate: Slate
) -> pl.DataFrame:
    """The features of each player on the slate, one row per player, from earlier games only.

    If this asset fails, check `slate` and `game_logs` of the date, then materialize it again. The
    metadata lists features with missing values. Systems work without them.
    """
    features = build_features(game_logs, slate_frame(slate), slate.absent)
    names = (*FEATURES, *market_features())
    missing = display.missing_values(features, names)
    context.add_output_metadata(
        {
            "dagster/row_count": len(features),
            "features": len(names),
            "features_without_missing_values": len(names) - missing.height,
            "missing_values": display.table(missing),
        }
    )
    return features
