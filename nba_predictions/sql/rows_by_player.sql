-- The number of rows of a batch in the table, by player.
SELECT player_lookup, COUNT(*) AS row_count
FROM ${target}
WHERE ${partition} = @partition AND batch_id = @batch_id
GROUP BY player_lookup
