# Everything a newcomer needs: `make run`, `make test`, `make dev`. Python >= 3.10 and make suffice.
.PHONY: install run run-gcp grade audit report backtest test races lint dev bench clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Where the input comes from (simulated | files), the folder with files, and where all state is kept.
SOURCE ?= simulated
DATA ?=
STATE ?= .nba_predictions/$(SOURCE)
GAME_DATE ?= 2026-01-15
# What a backtest judges.
FROM ?= 2026-01-01
TO ?= 2026-01-31

export NBA_PREDICTIONS_SOURCE := $(SOURCE)
export NBA_PREDICTIONS_DATA := $(DATA)
export NBA_PREDICTIONS_HOME := $(STATE)
export DAGSTER_HOME := $(abspath $(STATE))/dagster

install: $(VENV)/installed

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python >= 3.10 is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: install
	@$(BIN)/nba-predictions run --game-date $(GAME_DATE)

# The same on the profile gcp, against emulators that are started for it, and gone with it; then the
# table is compared, row by row, with that of an embedded night of the same date.
run-gcp: export NBA_PREDICTIONS_PROFILE := gcp
run-gcp: export NBA_PREDICTIONS_GCP_PROJECT ?= emulated-project
run-gcp: export NBA_PREDICTIONS_HOME := .nba_predictions/gcp-$(SOURCE)
run-gcp: export DAGSTER_HOME := $(abspath .nba_predictions/gcp-$(SOURCE))/dagster
run-gcp: install
	@env NBA_PREDICTIONS_PROFILE=embedded NBA_PREDICTIONS_HOME=$(STATE) DAGSTER_HOME= \
		$(BIN)/nba-predictions run --game-date $(GAME_DATE) | tail -n 1
	@$(BIN)/python -m nba_predictions_tests.standins sh -c \
		'$(BIN)/nba-predictions gcp init && $(BIN)/nba-predictions run --game-date $(GAME_DATE) && \
		$(BIN)/python -m nba_predictions_tests.e2e.compare_profiles --game-date $(GAME_DATE) $(STATE)'

grade: install
	@$(BIN)/nba-predictions grade --game-date $(GAME_DATE)

audit: install
	@$(BIN)/nba-predictions audit --game-date $(GAME_DATE)

# One page that stands alone, with pictures; its path is printed.
report: install
	@$(BIN)/nba-predictions report --game-date $(GAME_DATE) --html

backtest: install
	@$(BIN)/nba-predictions backtest --from $(FROM) --to $(TO) --out $(STATE)/backtest

# The suite sets the variables that it needs; those above are not for it. Much of it is waiting.
test: install
	env -u NBA_PREDICTIONS_SOURCE -u NBA_PREDICTIONS_DATA -u NBA_PREDICTIONS_HOME -u DAGSTER_HOME \
		$(BIN)/python -m pytest --numprocesses 4 --dist worksteal

# A hundred of each race between two workers of one date; the suite runs twenty.
races: install
	NBA_PREDICTIONS_TEST_RACES=100 $(BIN)/python -m pytest --numprocesses 2 nba_predictions_tests/faults/test_races.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

dev: install
	@$(BIN)/nba-predictions init
	$(BIN)/dagster dev --workspace workspace.yaml

bench: install
	$(BIN)/python -m bench.night
	$(BIN)/python -m nba_predictions_tests.standins $(BIN)/python -m bench.completions

clean:
	rm -rf $(VENV) .nba_predictions .pytest_cache .mypy_cache .ruff_cache .hypothesis
