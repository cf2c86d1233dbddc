-- One graded date by market and system. For the errors, a player's game counts once, however many
-- lines were tested. The tested lines are symmetric around the base line, so their mean is the base
-- line. Its error on the same players is what a system is compared with.
WITH player_games AS (
  SELECT
    market, system_id, game_id, player_lookup,
    MAX(absolute_error) AS absolute_error,
    MAX(CAST(predicted_points AS FLOAT64) - actual_points) AS surplus,
    ABS(AVG(CAST(points_line AS FLOAT64)) - MAX(actual_points)) AS line_error,
    COUNT(IF(is_correct, 1, NULL)) AS calls_right,
    COUNT(is_correct) AS calls
  FROM ${target}
  WHERE game_date = @partition
  GROUP BY market, system_id, game_id, player_lookup
)
SELECT
  market,
  system_id,
  COUNT(absolute_error) AS player_games,
  CAST(COUNTIF(absolute_error IS NULL) AS INT64) AS did_not_play,
  AVG(absolute_error) AS mean_absolute_error,
  AVG(surplus) AS bias,
  COUNT(line_error) AS with_line,
  AVG(IF(line_error IS NULL, NULL, absolute_error)) AS error_with_line,
  AVG(line_error) AS error_of_line,
  CAST(SUM(calls_right) AS INT64) AS calls_right,
  CAST(SUM(calls) AS INT64) AS calls
FROM player_games
GROUP BY market, system_id
ORDER BY market, mean_absolute_error, system_id
