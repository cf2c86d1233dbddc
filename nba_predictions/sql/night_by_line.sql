-- One batch by system and by how far the tested line lies from the base line. Where every line gives
-- the same probability, or only one line has its rows, something went wrong that totals do not show.
SELECT
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
GROUP BY system_id, line_offset
ORDER BY system_id, line_offset
