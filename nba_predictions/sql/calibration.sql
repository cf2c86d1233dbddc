-- Forecast and observed share of overs by market, system and tenth of probability.
-- A push counts as not over.
SELECT
  market,
  system_id,
  CAST(LEAST(FLOOR(over_probability * 10), 9) AS INT64) AS bucket,
  COUNT(*) AS row_count,
  AVG(over_probability) AS said,
  AVG(IF(outcome = 'OVER', 1.0, 0.0)) AS came
FROM ${target}
WHERE game_date BETWEEN @since AND @partition
  AND outcome IN ('OVER', 'UNDER', 'PUSH')
  AND over_probability IS NOT NULL
GROUP BY market, system_id, bucket
ORDER BY market, system_id, bucket
