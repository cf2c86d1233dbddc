"""Rules for imports that the contracts in pyproject.toml cannot express.

import-linter sees only the top-level name of an external package, and it cannot list the packages
that a module may import.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nba_predictions_tests.conftest import REPOSITORY

PRODUCT = REPOSITORY / "nba_predictions"


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_private(module: str) -> bool:
    package, *parts = module.split(".")
    return package == "dagster_shared" or (
        package.startswith("dagster") and any(part.startswith("_") for part in parts)
    )


@pytest.mark.parametrize(
    ("package", "third_party"),
    [
        ("domain", {"polars", "pydantic"}),
        ("features", {"numpy", "polars"}),
        ("systems", {"numpy", "polars", "xgboost"}),
    ],
)
def test_the_lowest_layers_import_only_packages_for_computing(
    package: str, third_party: set[str]
) -> None:
    imported = {
        module.split(".")[0]
        for path in (PRODUCT / package).rglob("*.py")
        for module in imported_modules(path)
    }
    assert imported - sys.stdlib_module_names - {"nba_predictions"} <= third_party


def test_one_module_imports_the_private_modules_of_dagster() -> None:
    importers = {
        path.relative_to(PRODUCT).as_posix()
        for path in PRODUCT.rglob("*.py")
        if any(map(is_private, imported_modules(path)))
    }
    assert importers == {"orchestration/dagster_internals.py"}
