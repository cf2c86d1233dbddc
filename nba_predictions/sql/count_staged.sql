-- What is about to be merged: rows, rows that differ in their key, rows that belong elsewhere, and
-- whose rows they are.
SELECT
  COUNT(*) AS rows_staged,
  (SELECT COUNT(*) FROM (SELECT DISTINCT ${key} FROM ${staged} AS keys)) AS distinct_keys,
  CAST(COUNTIF(${partition} <> @partition) AS INT64) AS rows_of_other_dates,
  ${scopes}
FROM ${staged} AS staged
