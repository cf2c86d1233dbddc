-- Count the rows of a date that one merge inserted and updated. The merge stamped them with its time.
SELECT
  CAST(COUNTIF(created_at = @merged_at) AS INT64) AS inserted,
  CAST(COUNTIF(created_at <> @merged_at AND updated_at = @merged_at) AS INT64) AS updated
FROM ${target}
WHERE ${partition} = @partition
