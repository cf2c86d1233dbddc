-- The game for which each player of a date is predicted.
SELECT player_lookup, MIN(game_id) AS game_id
FROM ${target}
WHERE ${partition} = @partition
GROUP BY player_lookup
