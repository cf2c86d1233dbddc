-- One MERGE of everything staged into ${target}.
-- The literal game_date lets the warehouse read one partition of the target only.
-- The key is compared NULL-safe: a player without a line is one row, however often he is merged.
-- Rows of the players and systems just written whose key was not written again are superseded:
-- a line that moved, or came, takes the place of the old one.
MERGE INTO ${target} AS target
USING (
  SELECT ${columns}
  FROM ${staged} AS staged
  QUALIFY ROW_NUMBER() OVER (PARTITION BY ${key} ORDER BY staged_at DESC, ${columns}) = 1
) AS source
ON target.${partition} = @partition
  AND ${match}
WHEN MATCHED THEN
  UPDATE SET ${assignments}, updated_at = @merged_at
WHEN NOT MATCHED THEN
  INSERT (${columns}, created_at, updated_at)
  VALUES (${values}, @merged_at, @merged_at)
WHEN NOT MATCHED BY SOURCE
  AND target.${partition} = @partition
  AND ${superseded} THEN
  DELETE
