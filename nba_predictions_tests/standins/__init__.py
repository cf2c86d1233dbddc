"""Stand-ins for BigQuery, Firestore, Pub/Sub and Cloud Storage: processes on free local ports.

For each service, the first of these is used: the address in its environment variable, the
emulator of the Google Cloud CLI, or a package that is installed when first needed. Google has no
emulator for BigQuery and Cloud Storage. `python -m nba_predictions_tests.standins COMMAND` runs a
command with the three that a night needs.
"""

from nba_predictions_tests.standins.processes import StandIn, start

__all__ = ["StandIn", "start"]
