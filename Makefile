# The commands of a checkout. `make help` lists them. They need Python 3.10 or newer, and make.
.DEFAULT_GOAL := help
.PHONY: help install run run-gcp run-live live-week grade audit report backtest test races kills lint docs dev bench clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# SOURCE is simulated, files or live. DATA is the folder with the input files. STATE is the home, the folder
# with all local state.
SOURCE ?= simulated
DATA ?=
STATE ?= .nba_predictions/$(SOURCE)
# Without GAME_DATE, each command uses its own default: 2026-01-15 for the simulated league; for others,
# yesterday in `grade` and today in the other commands.
GAME_DATE ?=
DATE_OPTION := $(if $(GAME_DATE),--game-date $(GAME_DATE))
# The range of a backtest.
FROM ?= 2026-01-01
TO ?= 2026-01-31
# The port of the Dagster UI.
PORT ?= 3000

export NBA_PREDICTIONS_SOURCE := $(SOURCE)
export NBA_PREDICTIONS_DATA := $(DATA)
export NBA_PREDICTIONS_HOME := $(STATE)
export DAGSTER_HOME := $(abspath $(STATE))/dagster

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables: GAME_DATE=YYYY-MM-DD|today|yesterday  SOURCE=simulated|files|live  DATA=folder  STATE=folder  PORT=number"

install: $(VENV)/installed ## Create the virtual environment

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python >= 3.10 is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: install ## Predict one game date and publish it
	@$(BIN)/nba-predictions run $(DATE_OPTION)

# Starts the emulators, predicts the date on both profiles, compares the two tables row by row, and
# stops the emulators.
run-gcp: export NBA_PREDICTIONS_PROFILE := gcp
run-gcp: export NBA_PREDICTIONS_GCP_PROJECT ?= emulated-project
run-gcp: export NBA_PREDICTIONS_HOME := .nba_predictions/gcp-$(SOURCE)
run-gcp: export DAGSTER_HOME := $(abspath .nba_predictions/gcp-$(SOURCE))/dagster
run-gcp: install ## The same on the profile gcp with emulators, compared with the profile embedded
	@env NBA_PREDICTIONS_PROFILE=embedded NBA_PREDICTIONS_HOME=$(STATE) DAGSTER_HOME= \
		$(BIN)/nba-predictions run $(DATE_OPTION) | tail -n 1
	@$(BIN)/python -m nba_predictions_tests.standins sh -c \
		'$(BIN)/nba-predictions gcp init && $(BIN)/nba-predictions run $(DATE_OPTION) && \
		$(BIN)/python -m nba_predictions_tests.e2e.compare_profiles $(DATE_OPTION) $(STATE)'

# Lives through one day in minutes: the clock moves, and a stand-in of the live services answers.
run-live: export NBA_PREDICTIONS_SOURCE := live
run-live: export NBA_PREDICTIONS_HOME := .nba_predictions/live-day
run-live: export DAGSTER_HOME := $(abspath .nba_predictions/live-day)/dagster
run-live: install ## Live through one day against a stand-in of the live services
	@rm -rf $(NBA_PREDICTIONS_HOME)
	@$(BIN)/python -m nba_predictions_tests.standins.live_day $(DATE_OPTION)

grade: install ## Grade the predictions of one game date
	@$(BIN)/nba-predictions grade $(DATE_OPTION)

audit: install ## Show the state of one game date
	@$(BIN)/nba-predictions audit $(DATE_OPTION)

report: install ## Write a self-contained page about one game date, and print its path
	@$(BIN)/nba-predictions report $(DATE_OPTION) --html

backtest: install ## Compare the systems on the past dates FROM to TO
	@$(BIN)/nba-predictions backtest --from $(FROM) --to $(TO) --out $(STATE)/backtest

# The tests set the variables that they need. Most of their time is spent waiting, so four processes
# are faster than one for each core.
test: install ## Run the tests
	env -u NBA_PREDICTIONS_SOURCE -u NBA_PREDICTIONS_DATA -u NBA_PREDICTIONS_HOME -u DAGSTER_HOME \
		$(BIN)/python -m pytest --numprocesses 4 --dist worksteal

races: install ## Run each race between two workers of one date 100 times; `make test` runs it 20 times
	NBA_PREDICTIONS_TEST_RACES=100 $(BIN)/python -m pytest --numprocesses 2 nba_predictions_tests/faults/test_races.py

KILLS ?= 20
SEED ?= 1
kills: install ## Kill the daemon KILLS times at moments that SEED decides, and a run at each of its writes
	env -u NBA_PREDICTIONS_SOURCE -u NBA_PREDICTIONS_DATA -u NBA_PREDICTIONS_HOME -u DAGSTER_HOME \
		NBA_PREDICTIONS_TEST_KILLS=$(KILLS) NBA_PREDICTIONS_TEST_SEED=$(SEED) \
		NBA_PREDICTIONS_TEST_ALL_BOUNDARIES=1 $(BIN)/python -m pytest -rP --show-capture=stdout \
		nba_predictions_tests/daemon/test_kill_loop.py nba_predictions_tests/daemon/test_matrix_daemon.py

DAYS ?= 7
live-week: install ## Live through DAYS days under the daemon, with faults of the services that SEED decides
	env -u NBA_PREDICTIONS_SOURCE -u NBA_PREDICTIONS_DATA -u NBA_PREDICTIONS_HOME -u DAGSTER_HOME \
		NBA_PREDICTIONS_TEST_LIVE_DAYS=$(DAYS) NBA_PREDICTIONS_TEST_SEED=$(SEED) \
		$(BIN)/python -m pytest -rP --show-capture=stdout nba_predictions_tests/daemon/test_live_week.py

lint: install ## Check style, types, layers and words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python .ci/check_words.py

docs: install ## Update the table of the settings and the data dictionary
	$(BIN)/python -m nba_predictions.settings docs/configuration.md
	$(BIN)/python .ci/data_dictionary.py

dev: install ## Serve the Dagster UI on http://localhost:PORT, by default 3000
	@$(BIN)/nba-predictions dev --port $(PORT)

bench: install ## Measure the speed of a night, its MERGE and its completions
	$(BIN)/python -m bench.night
	$(BIN)/python -m bench.merge
	$(BIN)/python -m nba_predictions_tests.standins $(BIN)/python -m bench.completions

clean: ## Delete the virtual environment and all local state in .nba_predictions
	rm -rf $(VENV) .nba_predictions .pytest_cache .mypy_cache .ruff_cache .hypothesis
