-- One batch with a row per player and system: at the base line, or the only row where there is none.
SELECT
  player_lookup, game_id, team, opponent, system_id, base_line, line_source, books,
  predicted_points, over_probability, recommendation
FROM ${target}
WHERE game_date = @partition AND batch_id = @batch_id
  AND points_line IS NOT DISTINCT FROM base_line
ORDER BY player_lookup, system_id
