-- What is about to be merged: rows, and rows that differ in their key.
SELECT
  COUNT(*) AS rows_staged,
  (SELECT COUNT(*) FROM (SELECT DISTINCT ${key} FROM ${staged} AS keys)) AS distinct_keys
FROM ${staged} AS staged
