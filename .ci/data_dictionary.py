"""Write the tables of docs/data-dictionary.md from nba_predictions/domain/tables.py.

`--check` changes nothing, and exits with 1 when the page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nba_predictions.domain.tables import TABLES, Table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "data-dictionary.md"


def section(table: Table) -> str:
    """Return the section of one table, as Markdown."""
    columns = "\n".join(
        f"| `{c.name}` | {c.type} | {'yes' if c.required else ''} | "
        + c.description.replace("|", "\\|")
        + " |"
        for c in table.columns
    )
    nullable = ", ".join(f"`{name}`" for name in table.nullable_key)
    return f"""## `{table.name}`

{table.description}

Business key: {_names(table.key)}; a NULL {nullable} is a value of its own. \
Partitioned by `{table.partition_by}`, clustered by {_names(table.cluster_by)}.

| column | type | required | meaning |
|---|---|---|---|
{columns}
"""


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def page(text: str) -> str:
    """Return the page with the sections of all tables as they are defined now."""
    head, *sections = text.split("\n## ")
    current = {f"`{table.name}`": section(table)[3:] for table in TABLES}
    return "\n## ".join([head, *(current.get(s.split("\n")[0], s) for s in sections)])


def main() -> int:
    old = PAGE.read_text("utf-8")
    new = page(old)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new, "utf-8")
    elif new != old:
        print("docs/data-dictionary.md is out of date; run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
