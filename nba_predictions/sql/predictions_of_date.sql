-- The predictions of one game date, with the columns that their results repeat.
SELECT ${graded}
FROM ${target}
WHERE game_date = @partition
ORDER BY player_lookup, system_id, market, points_line
