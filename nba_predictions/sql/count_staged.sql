-- Count what will be merged: rows, distinct keys, and rows of other dates.
SELECT
  COUNT(*) AS rows_staged,
  (SELECT COUNT(*) FROM (SELECT DISTINCT ${key} FROM ${staged} AS keys)) AS distinct_keys,
  CAST(COUNTIF(${partition} <> @partition) AS INT64) AS rows_of_other_dates
FROM ${staged} AS staged
