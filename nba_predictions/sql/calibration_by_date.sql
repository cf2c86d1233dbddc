-- Forecast and observed overs by market, system, tenth of probability and date, for all graded dates
-- up to a date. Pushes are excluded. The rows of one date depend on each other, so dates stay apart.
WITH chances AS (
  SELECT
    market,
    system_id,
    game_date,
    over_probability / (1.0 - COALESCE(push_probability, 0.0)) AS chance,
    CASE WHEN outcome = 'OVER' THEN 1 ELSE 0 END AS went_over
  FROM ${target}
  WHERE
    game_date <= @partition
    AND outcome IN ('OVER', 'UNDER')
    AND over_probability IS NOT NULL
    AND COALESCE(push_probability, 0.0) < 1.0
),
binned AS (
  SELECT
    market, system_id, game_date, chance, went_over,
    CAST(LEAST(FLOOR(chance * 10), 9) AS INT64) AS bin
  FROM chances
)
SELECT
  market, system_id, game_date, bin,
  COUNT(*) AS row_count,
  SUM(chance) AS forecast,
  CAST(SUM(went_over) AS INT64) AS overs
FROM binned
GROUP BY market, system_id, game_date, bin
ORDER BY market, system_id, bin, game_date
