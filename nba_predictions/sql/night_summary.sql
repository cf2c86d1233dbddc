-- One batch by market and system: the first thing to look at.
SELECT
  market,
  system_id,
  COUNT(*) AS row_count,
  COUNT(DISTINCT player_lookup) AS players,
  ROUND(AVG(CAST(predicted_points AS FLOAT64)), 2) AS mean_points,
  CAST(COUNTIF(recommendation = 'OVER') AS INT64) AS overs,
  CAST(COUNTIF(recommendation = 'UNDER') AS INT64) AS unders,
  CAST(COUNTIF(recommendation = 'PASS') AS INT64) AS passes,
  CAST(COUNTIF(recommendation = 'NO_LINE') AS INT64) AS without_line
FROM ${target}
WHERE game_date = @partition AND batch_id = @batch_id
GROUP BY market, system_id
ORDER BY market, system_id
