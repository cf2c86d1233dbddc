-- One batch by market, system and distance of the tested line from the base line. It shows faults that
-- totals hide: the same probability at every line, or rows at one line only.
SELECT
  market,
  system_id,
  CAST(points_line - base_line AS FLOAT64) AS line_offset,
  COUNT(*) AS row_count,
  COUNT(DISTINCT player_lookup) AS players,
  AVG(CAST(predicted_points AS FLOAT64)) AS mean_points,
  AVG(over_probability) AS mean_over_probability,
  CAST(COUNTIF(recommendation = 'OVER') AS INT64) AS overs,
  CAST(COUNTIF(recommendation = 'UNDER') AS INT64) AS unders,
  CAST(COUNTIF(recommendation = 'PASS') AS INT64) AS passes,
  CAST(COUNTIF(recommendation = 'NO_LINE') AS INT64) AS without_line
FROM ${target}
WHERE game_date = @partition AND batch_id = @batch_id
GROUP BY market, system_id, line_offset
ORDER BY market, system_id, line_offset
