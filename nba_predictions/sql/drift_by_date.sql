-- Errors of each system by date, from a date to a date. A player with a line has five rows of one
-- forecast: his error counts once.
WITH games AS (
  SELECT system_id, game_date, player_lookup, AVG(absolute_error) AS error
  FROM ${target}
  WHERE game_date BETWEEN @since AND @partition AND outcome <> 'VOID'
  GROUP BY system_id, game_date, player_lookup
)
SELECT system_id, game_date, COUNT(*) AS player_games, SUM(error) AS total_error
FROM games
GROUP BY system_id, game_date
ORDER BY system_id, game_date
