"""Declare the commands: their names, options and help.

To add a command, declare it here and do its work in a module of this package. Import that module
inside the command: `nba-predictions --help` and shell completion import this file only, and must
not wait for Dagster, polars or the settings. A command returns its exit code.
"""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from nba_predictions import __version__
from nba_predictions.cli.options import (
    AnyBatchId,
    AsOf,
    BatchId,
    FirstDate,
    LastDate,
    LastNight,
    Tonight,
    date_option,
    last_night,
    tonight,
)
from nba_predictions.cli.startup import load_settings, read_settings

#: The panels of `nba-predictions --help`.
_NIGHTS, _FIX = "Nights", "Fix a night"
_STUDY, _SET_UP = "Models and history", "Set up and maintain"


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(help=help_text, no_args_is_help=True, pretty_exceptions_enable=False)


app = _group("Predict the player statistics of NBA game dates, and check, grade and fix them.")
models = _group("Show and choose the trained models that serve the nights.")
alerts = _group("Test where alerts go, and list the open ones.")
gcp = _group("Prepare Google Cloud.")
app.add_typer(models, name="models", rich_help_panel=_STUDY)
app.add_typer(alerts, name="alerts", rich_help_panel=_SET_UP)
app.add_typer(gcp, name="gcp", rich_help_panel=_SET_UP)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"nba-predictions {__version__}")
        raise typer.Exit


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def _options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.command(rich_help_panel=_NIGHTS)
def run(
    game_date: Tonight = None,
    gates: Annotated[
        Literal["wait", "warn"] | None,
        typer.Option(
            help="What to do in this run if an input gate fails: wait for better inputs, or warn "
            "and predict. Default: the setting NBA_PREDICTIONS_GATES."
        ),
    ] = None,
    as_of: AsOf = None,
    begun_games: Annotated[
        bool,
        typer.Option("--begun-games", help="Also predict games of the date that have begun."),
    ] = False,
) -> int:
    """Predict one game date from end to end, and publish it.

    Games of the date that have begun are left alone. A past date is predicted as a whole.
    """
    settings = load_settings()
    from nba_predictions.cli.nights import NightOptions, run_night

    options = NightOptions(gates, as_of, begun_games)
    return run_night(settings, tonight(settings.source, game_date), options)


@app.command(rich_help_panel=_NIGHTS)
def refresh(
    game_date: Tonight = None,
    past: Annotated[
        bool,
        typer.Option("--past", help="Also refresh a date that is over. Only for a files source."),
    ] = False,
) -> int:
    """Predict the players again whose lines, injuries or games changed, and publish them."""
    settings = load_settings()
    from nba_predictions.cli.nights import refresh_night

    return refresh_night(settings, tonight(settings.source, game_date), past)


@app.command(rich_help_panel=_NIGHTS)
def slate(
    game_date: Tonight = None,
    as_of: AsOf = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the slate and its inputs as JSON.")
    ] = False,
) -> int:
    """Show what a run would see of one game date, and the outcome of each input row."""
    settings = read_settings()
    from nba_predictions.cli.slate import print_slate

    return print_slate(settings, tonight(settings.source, game_date), as_of, as_json=json)


@app.command(rich_help_panel=_NIGHTS)
def fetch(
    game_date: Tonight = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Ask each service once, whatever is there already."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> int:
    """Fetch the inputs of one game date from the live services, and show what came.

    `run` and `refresh` fetch by themselves.
    """
    settings = read_settings()
    from nba_predictions.cli.fetching import fetch_date

    return fetch_date(settings, tonight(settings.source, game_date), check=check, as_json=json)


@app.command(rich_help_panel=_SET_UP)
def seed(
    seasons: Annotated[
        int,
        typer.Option(min=1, max=20, help="The number of seasons, including the current one."),
    ] = 4,
    injuries: Annotated[
        bool,
        typer.Option(
            help="Also fetch one injury report for each game day. It takes minutes per season."
        ),
    ] = True,
) -> int:
    """Fetch the history of past seasons from the live services.

    You can interrupt it and run it again. It asks only for what is missing.
    """
    settings = read_settings()
    from nba_predictions.cli.fetching import seed_history

    return seed_history(settings, seasons, injuries=injuries)


@app.command(rich_help_panel=_NIGHTS)
def audit(
    game_date: Tonight = None,
    batch: AnyBatchId = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole audit as JSON.")] = False,
    all_nights: Annotated[
        bool,
        typer.Option("--all", help="Compare the rows of all past nights with the ledger instead."),
    ] = False,
) -> int:
    """Show the state of one game date and a verdict, computed from the stored data."""
    if all_nights and (game_date or batch or json):
        raise typer.BadParameter("omit the other options", param_hint="--all")
    settings = read_settings()
    if all_nights:
        from nba_predictions.cli.nights import print_audit_of_all_nights

        return print_audit_of_all_nights(settings)
    from nba_predictions.cli.nights import print_audit

    return print_audit(settings, tonight(settings.source, game_date), batch, as_json=json)


@app.command(rich_help_panel=_NIGHTS)
def report(
    game_date: Tonight = None,
    batch: AnyBatchId = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write one self-contained HTML page instead of text.")
    ] = False,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="With --html: the file to write, or - for standard output.",
            show_default="HOME/reports/GAME_DATE.html",
        ),
    ] = None,
) -> int:
    """Print the report of one game date, or write it as a page with plots."""
    if file is not None and not html:
        raise typer.BadParameter(f"{file!r} is only used with --html", param_hint="FILE")
    settings = read_settings()
    from nba_predictions.cli.report import print_report, write_page

    game_date = tonight(settings.source, game_date)
    if html:
        return write_page(settings, game_date, batch, file)
    return print_report(settings, game_date, batch)


@app.command(rich_help_panel=_NIGHTS)
def grade(game_date: LastNight = None) -> int:
    """Grade the predictions of one finished game date."""
    settings = load_settings()
    from nba_predictions.cli.nights import grade_night

    return grade_night(settings, last_night(settings.source, game_date))


@app.command(rich_help_panel=_NIGHTS)
def publish(batch: BatchId) -> int:
    """Publish a batch that a backfill predicted. Safe to repeat."""
    settings = read_settings()
    from nba_predictions.cli.nights import publish_batch

    return publish_batch(settings, batch)


@app.command("dead-letters", rich_help_panel=_FIX)
def dead_letters(
    game_date: Annotated[date | None, date_option("--game-date", "Game date", "all dates")] = None,
) -> int:
    """List the players whose prediction failed permanently."""
    settings = read_settings()
    from nba_predictions.cli.repair import print_dead_letters

    return print_dead_letters(settings, game_date)


@app.command(rich_help_panel=_FIX)
def replay(
    batch: BatchId,
    player: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LOOKUP",
            help="A player to predict again. May be repeated.",
            show_default="all players of the batch who are not done",
        ),
    ] = None,
) -> int:
    """Predict players of a batch again, then merge, clean up and publish."""
    settings = read_settings()
    from nba_predictions.cli.repair import replay_players

    return replay_players(settings, batch, player or ())


@app.command(rich_help_panel=_FIX)
def repair(
    game_date: Tonight = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0.01,
            max=1.0,
            help="First set the completion threshold of the batch, for example 0.85.",
            show_default="the threshold that the batch was created with",
        ),
    ] = None,
) -> int:
    """Do what the verdict on a game date requires, after a confirmation. Safe to repeat."""
    settings = read_settings()
    from nba_predictions.cli.repair import repair_night

    game_date = tonight(settings.source, game_date)
    return repair_night(settings, game_date, confirmed=yes, threshold=threshold)


@app.command(rich_help_panel=_STUDY)
def backfill(
    first: FirstDate,
    last: LastDate,
    publish: Annotated[bool, typer.Option("--publish", help="Publish each date.")] = False,
    grade: Annotated[bool, typer.Option("--grade", help="Grade each date.")] = False,
) -> int:
    """Predict the dates of a range that are not complete yet.

    You can interrupt it and run it again. It publishes nothing without --publish.
    """
    settings = load_settings()
    from nba_predictions.cli.backfill import run_backfill

    return run_backfill(settings, first, last, publish=publish, grade=grade)


@app.command(rich_help_panel=_STUDY)
def backtest(
    first: FirstDate,
    last: LastDate,
    systems: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Comma-separated systems.", show_default="all systems"),
    ] = None,
    retrain: Annotated[
        Literal["monthly", "weekly", "never"],
        typer.Option(help="How often models are trained. The nights train weekly."),
    ] = "monthly",
    min_games: Annotated[
        int, typer.Option(help="Only players with at least this many games this season.")
    ] = 10,
    min_minutes: Annotated[
        float, typer.Option(help="Only players with at least this mean of minutes in 10 games.")
    ] = 15.0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write report.md, .html and .json, plots and predictions.parquet to this folder.",
        ),
    ] = None,
) -> int:
    """Predict past dates from what was known before each, and compare the systems.

    The comparison includes plain averages and the betting line.
    """
    settings = load_settings()
    from nba_predictions.backtest.evaluation import Scope
    from nba_predictions.cli.backtest import run_backtest

    names = None if systems is None else [n.strip() for n in systems.split(",") if n.strip()]
    scope = Scope(min_games, min_minutes)
    return run_backtest(settings, first, last, names, retrain=retrain, scope=scope, out=out)


@models.command("list")
def list_models() -> int:
    """List the stored models, and show which one is in force."""
    settings = read_settings()
    from nba_predictions.cli.models import print_models

    return print_models(settings)


@models.command()
def promote(
    name: Annotated[str, typer.Argument(help="The models, as `models list` prints them.")],
    until: Annotated[
        date | None, date_option("--until", "Compare on games before this date", "today")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Promote them whatever the comparison says.")
    ] = False,
) -> int:
    """Put models in force if they predict better than the current ones."""
    settings = load_settings()
    from nba_predictions.cli.models import promote_models

    return promote_models(settings, name, until, force=force)


@models.command()
def rollback() -> int:
    """Take back the last promotion."""
    settings = load_settings()
    from nba_predictions.cli.models import roll_back

    return roll_back(settings)


_Port = Annotated[int, typer.Option(min=1, max=65535, help="The port of the Dagster UI.")]


@app.command(rich_help_panel=_SET_UP)
def dev(port: _Port = 3000) -> int:
    """Serve the Dagster UI on this machine, with the daemon. Ctrl+C ends it."""
    # The links of alerts lead to this UI, also in the processes that it starts.
    os.environ["NBA_PREDICTIONS_UI_URL"] = (
        os.environ.get("NBA_PREDICTIONS_UI_URL") or f"http://localhost:{port}"
    )
    settings = load_settings()
    from nba_predictions.cli.webserver import run_dev

    return run_dev(settings, port)


@app.command(rich_help_panel=_SET_UP)
def webserver(
    workspace: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="The workspace file of the code locations."),
    ],
    host: Annotated[str, typer.Option(help="The address on which to listen.")] = "127.0.0.1",
    port: _Port = 3000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse everything that changes something.")
    ] = False,
) -> int:
    """Serve only the Dagster UI, behind its guard, for a deployment."""
    settings = load_settings()
    from nba_predictions.cli.webserver import run_webserver

    return run_webserver(settings, workspace, host, port, read_only=read_only)


@app.command(rich_help_panel=_SET_UP)
def init() -> int:
    """Create DAGSTER_HOME with its configuration and its tables. Safe to repeat."""
    load_settings()
    import dagster as dg

    # The web server and the daemon of `dagster dev` would create the tables at the same time. That
    # can leave SQLite files that Dagster cannot open anymore.
    dg.DagsterInstance.get().dispose()
    return 0


@app.command("import", rich_help_panel=_SET_UP)
def import_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES", help="Answers of services, exports and reports.", show_default=False
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="The folder of the input files.")
    ],
    kind: Annotated[
        Literal["player_game_logs", "points_lines", "schedule", "injuries"] | None,
        typer.Option(help="Refuse files of another kind.", show_default="any kind"),
    ] = None,
    observed_at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When the facts were known, for files that do not say it: a time with its time "
            "zone, for example 2025-01-10T22:30:00Z.",
        ),
    ] = None,
) -> int:
    """Convert box scores, lines, schedules and injury reports into input files."""
    from nba_predictions.cli.importing import import_into

    return import_into(files, to, kind, observed_at)


@app.command(rich_help_panel=_SET_UP)
def maintain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be deleted.")
    ] = False,
    keep_nights_days: Annotated[
        int,
        typer.Option(metavar="DAYS", help="How long to keep player partitions, inputs and models."),
    ] = 60,
    keep_runs_days: Annotated[
        int, typer.Option(metavar="DAYS", help="How long to keep Dagster runs and their events.")
    ] = 400,
) -> int:
    """Delete old player partitions, inputs, models, runs and abandoned staging."""
    settings = read_settings() if dry_run else load_settings()
    from nba_predictions.cli.upkeep import maintain_home
    from nba_predictions.domain.batches.retention import Retention

    return maintain_home(settings, Retention(keep_nights_days, keep_runs_days), dry_run=dry_run)


@app.command(rich_help_panel=_SET_UP)
def migrate() -> int:
    """Bring the tables of an earlier version to the current schema. Safe to repeat."""
    settings = load_settings()
    from nba_predictions.cli.upkeep import migrate_tables

    return migrate_tables(settings)


@app.command(rich_help_panel=_SET_UP)
def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to create.", show_default=False)],
    dagster: Annotated[
        bool, typer.Option("--dagster", help="Include the history of Dagster's runs in the home.")
    ] = False,
) -> int:
    """Copy the home to a new folder, also while a night runs. Only for the profile embedded."""
    settings = read_settings()
    from nba_predictions.cli.backup import back_up_home

    return back_up_home(settings, folder, with_dagster=dagster)


@app.command(rich_help_panel=_SET_UP)
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace a home that is not empty. Its files are kept in a subfolder."
        ),
    ] = False,
) -> int:
    """Verify a backup and restore it into the home. Stop all other processes of the home first."""
    settings = read_settings(restoring=True)
    from nba_predictions.cli.backup import restore_home

    return restore_home(settings, folder, force=force)


@alerts.command("test")
def send_test() -> int:
    """Send a test message to every destination. The exit code is 0 if all accepted it."""
    settings = read_settings()
    from nba_predictions.cli.alerts import send_test_message

    return send_test_message(settings)


@alerts.command()
def status() -> int:
    """List the open conditions, computed from the stored data. The exit code is 1 if any is."""
    settings = read_settings()
    from nba_predictions.cli.alerts import print_status

    return print_status(settings)


@gcp.command("init")
def gcp_init() -> int:
    """Create the datasets, tables and topics that a night needs. Safe to repeat."""
    settings = load_settings(profile="gcp")
    from nba_predictions.cli.upkeep import create_resources

    return create_resources(settings)
