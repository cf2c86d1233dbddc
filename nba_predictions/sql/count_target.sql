-- What stands in the target: rows of one batch, and keys of its date that stand there twice.
SELECT
  (
    SELECT COUNT(*) FROM ${target}
    WHERE ${partition} = @partition AND batch_id = @batch_id
  ) AS batch_rows,
  (
    SELECT COUNT(*)
    FROM (
      SELECT 1 AS one FROM ${target} WHERE ${partition} = @partition
      GROUP BY ${key} HAVING COUNT(*) > 1
    )
  ) AS duplicate_keys
