-- One batch with one row per player, market and system: the row at the base line, or the only row of
-- a player without a line.
SELECT
  player_lookup, player_id, game_id, team, opponent, market, system_id, base_line, line_source, books,
  predicted_points, over_probability, recommendation
FROM ${target}
WHERE game_date = @partition AND batch_id = @batch_id
  AND points_line IS NOT DISTINCT FROM base_line
ORDER BY player_lookup, market, system_id
