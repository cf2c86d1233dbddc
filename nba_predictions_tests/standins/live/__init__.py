"""A stand-in of the live services: one HTTP server that answers in their formats.

`LiveStandIn` runs in the process of a test, and `python -m nba_predictions_tests.standins.live` in
its own.
"""

# The import of content_faults registers its faults.
from nba_predictions_tests.standins.live import content_faults as _content_faults  # noqa: F401
from nba_predictions_tests.standins.live.faults import FAULTS, Fault
from nba_predictions_tests.standins.live.season import FolderSeasons, SimulatedSeasons
from nba_predictions_tests.standins.live.server import API_KEY, LiveStandIn

__all__ = ["API_KEY", "FAULTS", "Fault", "FolderSeasons", "LiveStandIn", "SimulatedSeasons"]
