"""What stands in for BigQuery, Firestore and Pub/Sub in tests: processes on free local ports.

For each service, in this order: an address that its variable already names; Google's own emulator,
where the Google Cloud CLI has it; a package, installed on first need. BigQuery has no emulator of
Google's. `python -m nba_predictions_tests.standins COMMAND` runs a command with all three.
"""

from nba_predictions_tests.standins.processes import StandIn, start

__all__ = ["StandIn", "start"]
