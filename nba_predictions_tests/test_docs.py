"""The documentation agrees with the code: tables, settings, commands, log events and links."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from nba_predictions import cli
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.settings import with_settings_table
from nba_predictions_tests.conftest import REPOSITORY


def document(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def test_the_data_dictionary_describes_the_tables_as_they_are_defined() -> None:
    check = [sys.executable, str(REPOSITORY / ".ci" / "data_dictionary.py"), "--check"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    checked = subprocess.run(check, capture_output=True, text=True, check=False, env=environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_table_of_the_settings_is_up_to_date() -> None:
    page = document("docs/configuration.md")
    assert page.count("| `NBA_PREDICTIONS_COMPLETION_THRESHOLD` |") == 1
    assert with_settings_table(page) == page, "run `make docs`"


def test_every_verdict_has_its_line_in_the_operating_guide() -> None:
    text = document("docs/operating.md")
    assert all(f"| `{verdict.value}` |" in text for verdict in Verdict)


def test_every_verdict_has_a_chapter_in_the_debugging_guide() -> None:
    text = document("docs/debugging.md")
    assert all(f"\n## {verdict.value}\n" in text for verdict in Verdict)


def test_every_command_is_described() -> None:
    text = "".join(document(f"docs/{name}.md") for name in ("operating", "debugging"))
    commands = {
        *("audit", "backfill", "dead-letters", "maintain", "publish"),
        *("refresh", "replay", "repair", "report"),
    }
    assert {c for c in commands if f"nba-predictions {c}" not in text} == set()


def test_every_milestone_that_the_code_logs_is_in_the_operating_guide() -> None:
    text = document("docs/operating.md")
    logged = {
        event
        for path in (REPOSITORY / "nba_predictions").rglob("*.py")
        for event in re.findall(r'milestone\(\s*"(\w+)"', path.read_text("utf-8"))
    }
    assert logged
    assert {event for event in logged if f"`{event}`" not in text} == set()


def test_links_lead_to_files_and_headings_that_exist() -> None:
    pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    pages += [f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", document(page)):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = (REPOSITORY / page).parent / name if name else REPOSITORY / page
            assert path.exists(), f"{page} links to {target}"
            if anchor:
                assert anchor in anchors(path.read_text("utf-8")), f"{page} links to {target}"


def anchors(text: str) -> set[str]:
    """Return the anchors that the headings of a page have on GitHub."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_names_the_demo_date() -> None:
    assert f"partition `{cli.DEMO_DATE}`" in document("README.md")
