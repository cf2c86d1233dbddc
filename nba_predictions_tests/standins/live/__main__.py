"""Serve the stand-in: `python -m nba_predictions_tests.standins.live --port 8900`.

It prints the settings that direct the product to it as shell commands. POST `{"now": "..."}` to
`/_standin` to move its clock, and `{"faults": [...]}` to set its faults.
"""

from __future__ import annotations

import argparse
import signal
from datetime import datetime, time
from pathlib import Path

from nba_predictions.domain.clock import utc_now
from nba_predictions_tests.standins.live.day import eastern
from nba_predictions_tests.standins.live.season import FolderSeasons, Seasons, SimulatedSeasons
from nba_predictions_tests.standins.live.server import LiveStandIn

#: Without `--now`, the clock of `--season` stands at 12:00 Eastern of this game day.
_GAME_DAY = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nba_predictions_tests.standins.live")
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument("--now", help="ISO 8601 with an offset; the clock stands at this moment")
    parser.add_argument("--data", type=Path, help="a folder with real files")
    parser.add_argument("--season", help="start within this season, for example 2025-26")
    options = parser.parse_args()
    seasons = FolderSeasons(options.data) if options.data else SimulatedSeasons()
    standin = LiveStandIn(seasons, utc_now, port=options.port)
    try:
        if options.now:
            standin.now = datetime.fromisoformat(options.now.replace("Z", "+00:00"))
        elif options.season:
            standin.now = _within(seasons, options.season)
    except ValueError as error:
        parser.error(str(error))
    with standin:
        for name, value in standin.environment.items():
            print(f"export {name}={value}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _within(seasons: Seasons, name: str) -> datetime:
    season = seasons.season(name)
    if season is None:
        raise ValueError(f"there is no season {name}")
    return eastern(sorted(season.by_day)[_GAME_DAY], time(12))


if __name__ == "__main__":
    # The main thread waits for these signals, so no thread may handle them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
