-- Leaderboard: each system over all graded nights up to a date, once per player-game for the error,
-- over all tested lines for the calls.
SELECT
  system_id,
  COUNT(DISTINCT CONCAT(CAST(game_date AS STRING), player_lookup)) AS player_games,
  AVG(absolute_error) AS mean_absolute_error,
  AVG(CAST(predicted_points AS FLOAT64) - actual_points) AS bias,
  CAST(COUNTIF(is_correct) AS INT64) AS calls_right,
  CAST(COUNTIF(is_correct IS NOT NULL) AS INT64) AS calls,
  AVG(
    CASE
      WHEN outcome = 'OVER' THEN POWER(1.0 - over_probability, 2)
      WHEN outcome = 'UNDER' THEN POWER(over_probability, 2)
    END
  ) AS brier_score
FROM ${target}
WHERE game_date <= @partition AND outcome <> 'VOID'
GROUP BY system_id
ORDER BY mean_absolute_error
