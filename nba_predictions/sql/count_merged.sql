-- Which rows of a date one merge wrote, by the time that it stamped them with.
SELECT
  CAST(COUNTIF(created_at = @merged_at) AS INT64) AS inserted,
  CAST(COUNTIF(created_at <> @merged_at AND updated_at = @merged_at) AS INT64) AS updated
FROM ${target}
WHERE ${partition} = @partition
