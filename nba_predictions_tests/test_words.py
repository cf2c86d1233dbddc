"""The check of words, `.ci/check_words.py`, on planted text."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from nba_predictions_tests.conftest import REPOSITORY

GLOSSARY = """
| Term | Meaning | Do not use |
|---|---|---|
| fix | Correct something. | `repare`, `put right` |
| `files` | A source. | |
| batch | One attempt. | attempt |
"""
TEXT = """Repare it; a reparer may stay.
An attempt of `files`.
# It was put
# right."""


@pytest.fixture(scope="module")
def check_words() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "check_words", REPOSITORY / ".ci" / "check_words.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_words_in_backticks_of_the_last_column_are_refused(check_words: ModuleType) -> None:
    assert check_words.refused_words(GLOSSARY) == {"repare": "fix", "put right": "fix"}


def test_a_finding_names_the_line_and_the_replacement(
    check_words: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "page.md").write_text(TEXT)
    words = check_words.refused_words(GLOSSARY)
    assert list(check_words.findings(tmp_path, [Path("page.md")], words)) == [
        'page.md:1: write "fix" instead of "repare"',
        'page.md:3: write "fix" instead of "put right"',
    ]


def test_every_word_of_the_glossary_is_found_in_a_text_that_has_it(
    check_words: ModuleType, tmp_path: Path
) -> None:
    words = check_words.refused_words((REPOSITORY / "docs" / "glossary.md").read_text("utf-8"))
    assert len(words) >= 20
    (tmp_path / "page.py").write_text("\n".join(f"# {word.upper()}!" for word in words))
    found = list(check_words.findings(tmp_path, [Path("page.py")], words))
    assert found == [
        f'page.py:{number}: write "{replacement}" instead of "{word}"'
        for number, (word, replacement) in enumerate(words.items(), 1)
    ]


def test_tracked_text_files_are_read_and_others_are_not(
    check_words: ModuleType, tmp_path: Path
) -> None:
    read = {"Makefile", ".ci/run", "README.md", "setup.cfg", "night.html.j2", "sql/merge.sql"}
    for name in read | {"LICENSE", "image.png", "new.py"}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", *read, "LICENSE", "image.png"], cwd=tmp_path, check=True)
    assert {path.as_posix() for path in check_words.tracked_files(tmp_path)} == read


def test_the_terms_of_the_glossary_are_sorted() -> None:
    text = (REPOSITORY / "docs" / "glossary.md").read_text("utf-8")
    table = text.split("## Terms")[1].split("## Plain words")[0]
    terms = [line.split("|")[1].strip().lower() for line in table.splitlines() if line[:2] == "| "]
    assert terms[1:] == sorted(terms[1:])
    assert len(set(terms)) == len(terms)
