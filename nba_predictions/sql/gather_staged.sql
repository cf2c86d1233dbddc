-- Copy staging tables of one batch into one table. The wildcard matches tables of one schema.
-- A query may read 1,000 tables, and the literal bounds limit the wildcard to the tables of this copy.
-- The list excludes tables between the bounds that no completion names.
CREATE OR REPLACE TABLE ${gathered} AS
SELECT ${columns}
FROM ${staged}
WHERE _TABLE_SUFFIX BETWEEN '${first}' AND '${last}' AND _TABLE_SUFFIX IN UNNEST(@players)
