-- Delete the rows of players that the newest batch of a date does not predict, for example because the
-- player is out or the game is postponed. Nothing is deleted if a worker with a later lease has
-- written the date.
DELETE FROM ${target}
WHERE ${partition} = @partition
  AND player_lookup NOT IN UNNEST(@players)
  AND NOT EXISTS (
    SELECT 1 FROM ${target} AS newer
    WHERE newer.${partition} = @partition AND newer.write_sequence > @write_sequence
  )
