-- Errors by market, system and date, from one date to another. A player with a line has one row per
-- tested line, all with the same forecast, so the error counts once.
WITH games AS (
  SELECT market, system_id, game_date, player_lookup, AVG(absolute_error) AS error
  FROM ${target}
  WHERE game_date BETWEEN @since AND @partition AND outcome <> 'VOID'
  GROUP BY market, system_id, game_date, player_lookup
)
SELECT market, system_id, game_date, COUNT(*) AS player_games, SUM(error) AS total_error
FROM games
GROUP BY market, system_id, game_date
ORDER BY market, system_id, game_date
