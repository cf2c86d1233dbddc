-- The predictions of one game date, to be graded.
SELECT
  prediction_id, batch_id, game_date, game_id, player_lookup, system_id, points_line,
  system_version, predicted_points, over_probability, push_probability, base_line,
  recommendation
FROM ${target}
WHERE game_date = @partition
ORDER BY player_lookup, system_id, points_line
