-- Merge all staged rows of one game date into the target table, in one statement.
--
-- Rendered for a small table `results` with the columns day, player, line, odds and the stamps, the key
-- (day, player, line), of which only line may be NULL, and the scope (player):
--
--   MERGE INTO results AS target
--   USING (
--     SELECT day, player, line, odds
--     FROM staged AS staged
--     QUALIFY ROW_NUMBER() OVER (
--       PARTITION BY day, player, line
--       ORDER BY staged_at DESC, day, player, line, odds
--     ) = 1
--   ) AS source
--   ON target.day = @partition
--     AND target.day = source.day
--     AND target.player = source.player
--     AND target.line IS NOT DISTINCT FROM source.line
--   WHEN MATCHED THEN
--     UPDATE SET odds = source.odds, updated_at = @merged_at
--   WHEN NOT MATCHED THEN
--     INSERT (day, player, line, odds, created_at, updated_at)
--     VALUES (source.day, source.player, source.line, source.odds, @merged_at, @merged_at)
--   WHEN NOT MATCHED BY SOURCE
--     AND target.day = @partition
--     AND target.player IN UNNEST(@players) THEN
--     DELETE
MERGE INTO ${target} AS target
USING (
  SELECT ${columns}
  FROM ${staged} AS staged
  -- Of several staged rows with one key, keep the one that was staged last. The other columns break a
  -- tie, so that the result does not depend on the order of reading.
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY ${key}
    ORDER BY staged_at DESC, ${columns}
  ) = 1
) AS source
-- The comparison with a parameter limits the scan of the target to one partition.
ON target.${partition} = @partition
  -- A column of the key that may be NULL is compared with IS NOT DISTINCT FROM. So a player without a
  -- line is one row, however often the player is merged.
  AND ${match}
-- The key exists: write all other columns, and keep created_at.
WHEN MATCHED THEN
  UPDATE SET ${assignments}, updated_at = @merged_at
-- The key is new.
WHEN NOT MATCHED THEN
  INSERT (${columns}, created_at, updated_at)
  VALUES (${values}, @merged_at, @merged_at)
-- The row is in the scope of this merge (for predictions: a player and system with staged rows), but
-- its key was not staged again: its line has moved. Newer rows supersede it.
WHEN NOT MATCHED BY SOURCE
  AND target.${partition} = @partition
  AND ${superseded} THEN
  DELETE
