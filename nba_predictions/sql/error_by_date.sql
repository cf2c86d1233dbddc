-- The error of each system, and of the base line, date by date; a player's game counts once, and
-- only with a line, so that both are measured on the same players.
WITH player_games AS (
  SELECT
    game_date, system_id, game_id, player_lookup,
    MAX(absolute_error) AS absolute_error,
    ABS(AVG(CAST(points_line AS FLOAT64)) - MAX(actual_points)) AS line_error
  FROM ${target}
  WHERE game_date BETWEEN @since AND @partition AND points_line IS NOT NULL
  GROUP BY game_date, system_id, game_id, player_lookup
)
SELECT
  game_date,
  system_id,
  COUNT(absolute_error) AS player_games,
  AVG(absolute_error) AS mean_absolute_error,
  AVG(line_error) AS error_of_line
FROM player_games
WHERE absolute_error IS NOT NULL
GROUP BY game_date, system_id
ORDER BY game_date, system_id
