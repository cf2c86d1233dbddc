-- Mean error of each system and of the base line, by market and date. A player's game counts once.
-- Only players with a line count, so that both errors are measured on the same players.
WITH player_games AS (
  SELECT
    game_date, market, system_id, game_id, player_lookup,
    MAX(absolute_error) AS absolute_error,
    ABS(AVG(CAST(points_line AS FLOAT64)) - MAX(actual_points)) AS line_error
  FROM ${target}
  WHERE game_date BETWEEN @since AND @partition AND points_line IS NOT NULL
  GROUP BY game_date, market, system_id, game_id, player_lookup
)
SELECT
  game_date,
  market,
  system_id,
  COUNT(absolute_error) AS player_games,
  AVG(absolute_error) AS mean_absolute_error,
  AVG(line_error) AS error_of_line
FROM player_games
WHERE absolute_error IS NOT NULL
GROUP BY game_date, market, system_id
ORDER BY game_date, market, system_id
