-- Delete the rows of players that the newest batch of a date does not predict, for example because the
-- player is out or the game is postponed. Rows that were merged after that batch are kept.
DELETE FROM ${target}
WHERE ${partition} = @partition
  AND updated_at < @before
  AND player_lookup NOT IN UNNEST(@players)
