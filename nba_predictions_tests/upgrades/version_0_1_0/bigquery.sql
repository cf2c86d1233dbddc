CREATE TABLE IF NOT EXISTS `{dataset}.player_prop_predictions` (
  prediction_id STRING NOT NULL OPTIONS (description = 'UUIDv5 of the business key'),
  batch_id STRING NOT NULL OPTIONS (description = 'the last batch that wrote the row'),
  game_date DATE NOT NULL OPTIONS (description = 'date of the game, US Eastern'),
  game_id STRING NOT NULL OPTIONS (description = 'YYYYMMDD_AWAY_HOME'),
  player_lookup STRING NOT NULL OPTIONS (description = 'normalised player name, a-z and 0-9'),
  system_id STRING NOT NULL OPTIONS (description = 'the prediction system'),
  points_line NUMERIC(5, 1) OPTIONS (description = 'the tested line, exact; NULL where no line exists'),
  system_version STRING NOT NULL OPTIONS (description = 'code, and model where one is trained'),
  team STRING OPTIONS (description = 'NULL when only a line says that the player plays'),
  opponent STRING OPTIONS (description = 'NULL together with team'),
  is_home BOOL OPTIONS (description = 'NULL together with team'),
  base_line NUMERIC(5, 1) OPTIONS (description = 'median over books of their main lines'),
  line_source STRING NOT NULL OPTIONS (description = 'sportsbook | dfs | none'),
  books INT64 NOT NULL OPTIONS (description = 'how many books the base line comes from'),
  predicted_points NUMERIC(6, 2) NOT NULL OPTIONS (description = 'centre of the forecast'),
  over_probability FLOAT64 OPTIONS (description = 'P(points > points_line), the base line known; NULL without a line'),
  push_probability FLOAT64 OPTIONS (description = 'P(points = points_line); 0 on half-point lines'),
  confidence FLOAT64 OPTIONS (description = '0..1, how much history the forecast rests on'),
  recommendation STRING NOT NULL OPTIONS (description = 'OVER | UNDER | PASS | NO_LINE'),
  features_as_of TIMESTAMP OPTIONS (description = "newest fact used; before game_date's tip-off"),
  created_at TIMESTAMP NOT NULL OPTIONS (description = 'first insert, never changed'),
  updated_at TIMESTAMP NOT NULL OPTIONS (description = 'last merge')
)
PARTITION BY game_date
CLUSTER BY player_lookup, system_id, game_id
OPTIONS (description = 'One row per player, system and tested line of a game date.')
;
CREATE TABLE IF NOT EXISTS `{dataset}.prediction_results` (
  prediction_id STRING NOT NULL OPTIONS (description = 'the graded prediction'),
  batch_id STRING NOT NULL OPTIONS (description = 'the batch that made it'),
  game_date DATE NOT NULL OPTIONS (description = 'date of the game, US Eastern'),
  game_id STRING NOT NULL OPTIONS (description = 'YYYYMMDD_AWAY_HOME'),
  player_lookup STRING NOT NULL OPTIONS (description = 'normalised player name, a-z and 0-9'),
  system_id STRING NOT NULL OPTIONS (description = 'the prediction system'),
  points_line NUMERIC(5, 1) OPTIONS (description = 'the tested line, exact; NULL where no line exists'),
  system_version STRING NOT NULL OPTIONS (description = 'as predicted'),
  predicted_points NUMERIC(6, 2) NOT NULL OPTIONS (description = 'as predicted'),
  over_probability FLOAT64 OPTIONS (description = 'as predicted'),
  push_probability FLOAT64 OPTIONS (description = 'as predicted'),
  base_line NUMERIC(5, 1) OPTIONS (description = 'as predicted; its row has points_line = base_line'),
  recommendation STRING NOT NULL OPTIONS (description = 'as predicted'),
  actual_points INT64 OPTIONS (description = 'NULL when the player did not play'),
  minutes FLOAT64 OPTIONS (description = 'played; NULL when the player did not play'),
  outcome STRING NOT NULL OPTIONS (description = 'OVER | UNDER | PUSH | VOID | NO_LINE'),
  absolute_error FLOAT64 OPTIONS (description = '|predicted - actual|; NULL when void'),
  is_correct BOOL OPTIONS (description = 'NULL on PASS, PUSH, VOID and NO_LINE'),
  created_at TIMESTAMP NOT NULL OPTIONS (description = 'first graded'),
  updated_at TIMESTAMP NOT NULL OPTIONS (description = 'last graded')
)
PARTITION BY game_date
CLUSTER BY player_lookup, system_id, game_id
OPTIONS (description = 'Each prediction of a finished game date against what the player really scored.')
