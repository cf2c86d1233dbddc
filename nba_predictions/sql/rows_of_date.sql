-- The number of rows of a date, and when the last of them was written.
SELECT COUNT(*) AS row_count, MAX(updated_at) AS last_updated_at
FROM ${target}
WHERE ${partition} = @partition
