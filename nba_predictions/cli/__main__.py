"""Run the command line as `python -m nba_predictions.cli`."""

import sys

from nba_predictions.cli import main

sys.exit(main())
