-- How many rows of a batch each player has in the table.
SELECT player_lookup, COUNT(*) AS row_count
FROM ${target}
WHERE ${partition} = @partition AND batch_id = @batch_id
GROUP BY player_lookup
