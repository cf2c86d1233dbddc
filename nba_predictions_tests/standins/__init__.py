"""Stand-ins for BigQuery, Firestore and Pub/Sub in tests: processes on free local ports.

For each service, the first of these is used: the address in its environment variable, the
emulator of the Google Cloud CLI, or a package that is installed when first needed. Google has no
emulator for BigQuery. `python -m nba_predictions_tests.standins COMMAND` runs a command with all
three.
"""

from nba_predictions_tests.standins.processes import StandIn, start

__all__ = ["StandIn", "start"]
