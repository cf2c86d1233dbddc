"""The environment variables of the code location of these tests."""

#: The dates that the schedule and the sensor request, separated by spaces.
SCHEDULED, SENSED = "NBA_PREDICTIONS_TEST_SCHEDULED", "NBA_PREDICTIONS_TEST_SENSED"
#: A JSON object with [call, moment, strike] by date. Each strikes once. A strike is "hang", "kill",
#: which kills the run, or "kill all", which also kills the daemon and its code server.
STRIKES = "NBA_PREDICTIONS_TEST_STRIKES"
