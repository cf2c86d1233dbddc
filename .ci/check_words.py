"""Report words that docs/glossary.md says not to use, in every tracked text file.

The words are those in backticks in the last column of the glossary's tables. The first column names
the replacement. Exits with 1 when a file contains such a word.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
GLOSSARY = Path("docs/glossary.md")
SUFFIXES = {".cfg", ".env", ".html", ".j2", ".json", ".md", ".py", ".rules", ".sh", ".sql"}
SUFFIXES |= {".toml", ".txt", ".yaml", ".yml"}
#: What may separate the words of a phrase: white space, and the comment sign of a wrapped line.
GAP = r"\s+(?:(?:#:?|//|--)\s*)?"


def refused_words(glossary: str) -> dict[str, str]:
    """Return the words not to use, each with its replacement."""
    words = {}
    for line in glossary.splitlines():
        if line.startswith("| "):
            first, *_, last = line.strip().strip("|").split("|")
            words |= {word.lower(): first.strip() for word in re.findall(r"`([^`]+)`", last)}
    return words


def tracked_files(repository: Path) -> Iterator[Path]:
    """Yield the tracked text files, relative to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout
    for path in map(Path, listed.split("\0")[:-1]):
        if path.suffix in SUFFIXES or (not path.suffix and path.name != "LICENSE"):
            yield path


def findings(repository: Path, files: Iterable[Path], words: dict[str, str]) -> Iterator[str]:
    """Yield a line for each refused word in the files."""
    alternatives = "|".join(re.escape(w).replace(r"\ ", GAP) for w in sorted(words))
    pattern = re.compile(rf"\b(?:{alternatives})\b", re.IGNORECASE)
    for path in files:
        file = repository / path
        # The glossary lists the words itself, and a deleted file is still in the index.
        if path == GLOSSARY or not file.is_file():
            continue
        text = file.read_text("utf-8")
        for match in pattern.finditer(text):
            word = re.sub(GAP, " ", match[0].lower())
            line = text.count("\n", 0, match.start()) + 1
            yield f'{path}:{line}: write "{words[word]}" instead of "{word}"'


def main() -> int:
    words = refused_words((REPOSITORY / GLOSSARY).read_text("utf-8"))
    found = list(findings(REPOSITORY, tracked_files(REPOSITORY), words))
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} words to replace; {GLOSSARY} has the vocabulary", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
