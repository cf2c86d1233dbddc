-- Rows of one date whose player a newer batch does not predict: he is out, or his game is off.
-- Only rows written before that batch was merged: whoever was merged after it speaks for himself.
DELETE FROM ${target}
WHERE ${partition} = @partition
  AND updated_at < @before
  AND player_lookup NOT IN UNNEST(@players)
