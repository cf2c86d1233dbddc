-- Keep only the newest row of each key of one date. One statement replaces the rows of the date.
MERGE INTO ${target} AS target
USING (
  SELECT ${columns}
  FROM ${target}
  WHERE ${partition} = @partition
  QUALIFY ROW_NUMBER() OVER (PARTITION BY ${key} ORDER BY write_sequence DESC, updated_at DESC, created_at) = 1
) AS source
ON FALSE
WHEN NOT MATCHED BY SOURCE AND target.${partition} = @partition THEN DELETE
WHEN NOT MATCHED THEN INSERT (${columns}) VALUES (${values})
