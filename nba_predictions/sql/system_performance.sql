-- Leaderboard: each system over all graded dates up to a date, by market. A player with a line has one
-- row per tested line, all with the same forecast, so the error counts once. Calls and probabilities
-- are scored at all tested lines. Money is scored only at the base line, because no book sells the
-- other lines at the standard price of -110.
WITH games AS (
  SELECT
    market, system_id, game_date, player_lookup,
    AVG(absolute_error) AS error,
    AVG(CAST(predicted_points AS FLOAT64) - actual_points) AS bias,
    AVG(ABS(CAST(base_line AS FLOAT64) - actual_points)) AS line_error
  FROM ${target}
  WHERE game_date <= @partition AND outcome <> 'VOID'
  GROUP BY market, system_id, game_date, player_lookup
),
errors AS (
  SELECT
    market,
    system_id,
    COUNT(*) AS player_games,
    AVG(error) AS mean_absolute_error,
    SQRT(AVG(bias * bias)) AS rmse,
    AVG(bias) AS bias,
    COUNT(line_error) AS with_line,
    AVG(CASE WHEN line_error IS NOT NULL THEN error END) AS error_with_line,
    AVG(line_error) AS error_of_line
  FROM games
  GROUP BY market, system_id
),
chances AS (
  SELECT
    market, system_id, outcome, is_correct,
    CASE
      WHEN points_line = base_line AND recommendation IN ('OVER', 'UNDER') THEN
        CASE WHEN is_correct IS NULL THEN 0.0 WHEN is_correct THEN 100.0 / 110.0 ELSE -1.0 END
    END AS profit,
    CASE
      WHEN outcome IN ('OVER', 'UNDER') AND COALESCE(push_probability, 0.0) < 1.0
      THEN over_probability / (1.0 - COALESCE(push_probability, 0.0))
    END AS chance
  FROM ${target}
  WHERE game_date <= @partition AND outcome <> 'VOID'
),
called AS (
  SELECT
    market,
    system_id,
    CAST(COUNTIF(is_correct) AS INT64) AS calls_right,
    COUNT(is_correct) AS calls,
    AVG(POWER(chance - CASE WHEN outcome = 'OVER' THEN 1.0 ELSE 0.0 END, 2)) AS brier_score,
    AVG(
      -LN(GREATEST(CASE WHEN outcome = 'OVER' THEN chance ELSE 1.0 - chance END, 1e-12))
    ) AS log_loss,
    COUNT(profit) AS bets,
    AVG(profit) AS profit_per_bet
  FROM chances
  GROUP BY market, system_id
)
SELECT
  errors.market, errors.system_id, player_games, mean_absolute_error, rmse, bias, with_line,
  error_with_line, error_of_line, calls_right, calls, brier_score, log_loss, bets, profit_per_bet
FROM errors
JOIN called ON called.market = errors.market AND called.system_id = errors.system_id
ORDER BY market, mean_absolute_error, system_id
