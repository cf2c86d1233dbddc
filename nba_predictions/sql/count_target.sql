-- Count the rows of one batch in the target table, and the duplicate keys of its date. The checksum
-- does not depend on the order of the rows.
SELECT
  COUNT(IF(batch_id = @batch_id, 1, NULL)) AS batch_rows,
  COUNT(IF(batch_id = @batch_id AND created_at = updated_at, 1, NULL)) AS created,
  CAST(SUM(IF(batch_id = @batch_id, ${row_hash}, 0)) AS INT64) AS checksum,
  MAX(IF(batch_id = @batch_id, updated_at, NULL)) AS last_updated_at,
  (
    SELECT COUNT(*)
    FROM (
      SELECT 1 AS one FROM ${target} WHERE ${partition} = @partition
      GROUP BY ${key} HAVING COUNT(*) > 1
    )
  ) AS duplicate_keys
FROM ${target}
WHERE ${partition} = @partition
