-- Said and done: how often the points were above the line, by what the probability of that was said
-- to be, in tenths. A push is not above the line.
SELECT
  system_id,
  CAST(LEAST(FLOOR(over_probability * 10), 9) AS INT64) AS bucket,
  COUNT(*) AS row_count,
  AVG(over_probability) AS said,
  AVG(IF(outcome = 'OVER', 1.0, 0.0)) AS came
FROM ${target}
WHERE game_date BETWEEN @since AND @partition
  AND outcome IN ('OVER', 'UNDER', 'PUSH')
  AND over_probability IS NOT NULL
GROUP BY system_id, bucket
ORDER BY system_id, bucket
