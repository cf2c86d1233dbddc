-- Merge all staged rows of one game date into the target table, in one statement.
--
-- Rendered for a small table `results` with the columns day, player, line, odds and the stamps, the key
-- (day, player, line), of which only line may be NULL, and the scope (player):
--
--   MERGE INTO results AS target
--   USING (
--     SELECT * FROM (
--       SELECT day, player, line, odds, FALSE AS superseded
--       FROM staged AS staged
--       UNION ALL
--       SELECT day, player, line, odds, TRUE
--       FROM results AS existing
--       WHERE existing.day = @partition
--         AND existing.player IN (SELECT player FROM staged AS staged)
--         AND NOT EXISTS (
--           SELECT 1 FROM staged AS staged
--           WHERE existing.day = staged.day
--             AND existing.player = staged.player
--             AND existing.line IS NOT DISTINCT FROM staged.line
--         )
--     ) AS written
--     WHERE NOT EXISTS (
--       SELECT 1 FROM results AS newer
--       WHERE newer.day = @partition AND newer.write_sequence > @write_sequence
--     )
--   ) AS source
--   ON target.day = @partition
--     AND target.day = source.day
--     AND target.player = source.player
--     AND target.line IS NOT DISTINCT FROM source.line
--   WHEN MATCHED AND source.superseded THEN
--     DELETE
--   WHEN MATCHED THEN
--     UPDATE SET odds = source.odds, updated_at = @merged_at, write_sequence = @write_sequence
--   WHEN NOT MATCHED THEN
--     INSERT (day, player, line, odds, created_at, updated_at, write_sequence)
--     VALUES (source.day, source.player, source.line, source.odds, @merged_at, @merged_at,
--             @write_sequence)
MERGE INTO ${target} AS target
USING (
  SELECT * FROM (
    SELECT ${columns}, FALSE AS superseded
    FROM ${staged} AS staged
    ${distinct}
    UNION ALL
    -- The row is in the scope of this merge (for predictions: a player and system with staged rows), but
    -- its key was not staged again: its line has moved. These rows are part of the source, because a
    -- clause WHEN NOT MATCHED BY SOURCE would read the whole target.
    SELECT ${existing}, TRUE
    FROM ${target} AS existing
    WHERE existing.${partition} = @partition
      AND ${scope}
      AND NOT EXISTS (SELECT 1 FROM ${staged} AS staged WHERE ${staged_match})
  ) AS written
  -- A worker with a later lease has written this date: change nothing.
  WHERE NOT EXISTS (
    SELECT 1 FROM ${target} AS newer
    WHERE newer.${partition} = @partition AND newer.write_sequence > @write_sequence
  )
) AS source
-- The comparison with a parameter limits the scan of the target to one partition.
ON target.${partition} = @partition
  -- A column of the key that may be NULL is compared with IS NOT DISTINCT FROM. So a player without a
  -- line is one row, however often the player is merged.
  AND ${match}
WHEN MATCHED AND source.superseded THEN
  DELETE
-- The key exists: write all other columns, and keep created_at.
WHEN MATCHED THEN
  UPDATE SET ${assignments}, updated_at = @merged_at, write_sequence = @write_sequence
-- The key is new.
WHEN NOT MATCHED THEN
  INSERT (${columns}, created_at, updated_at, write_sequence)
  VALUES (${values}, @merged_at, @merged_at, @write_sequence)
