-- Staging tables of one batch, copied into one. The wildcard stands for tables of one definition.
-- The literal bounds keep the warehouse from reading more tables than one query may; the list keeps
-- out a table that nobody recorded.
CREATE OR REPLACE TABLE ${gathered} AS
SELECT ${columns}
FROM ${staged}
WHERE _TABLE_SUFFIX BETWEEN '${first}' AND '${last}' AND _TABLE_SUFFIX IN UNNEST(@players)
