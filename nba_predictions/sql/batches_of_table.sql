-- The rows of each batch by date, with their checksum, for all dates of a range.
SELECT
  ${partition} AS game_date,
  batch_id,
  COUNT(*) AS batch_rows,
  CAST(SUM(${row_hash}) AS INT64) AS checksum
FROM ${target}
WHERE ${partition} >= @first AND ${partition} < @before
GROUP BY game_date, batch_id
