"""Tables for other programs: as JSON, CSV and Markdown, whatever strangers have written into them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "json", "csv", "markdown")


def print_tables(tables: "Mapping[str, pd.DataFrame]", more: Mapping[str, Any], form: str) -> None:
    """Print tables and what else is known of them: json has all of it, csv only the first table."""
    match form:
        case "json":
            click.echo(json_text({name: plain_rows(table) for name, table in tables.items()} | dict(more)))
        case "csv":
            click.echo(csv(next(iter(tables.values()))), nl=False)
        case _:
            click.echo("\n\n".join("\n".join(markdown(table)) for table in tables.values()))
            for value in more.values():
                if isinstance(value, str):
                    click.echo(f"\n{safe_text(value)}")


def plain_rows(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return the rows of a table as JSON has them: null for what is missing, text for times and names."""
    plain = table.astype("object").where(table.notna(), None)
    return [
        {
            str(name): value if value is None or isinstance(value, int | float | str) else str(value)
            for name, value in row.items()
        }
        for row in plain.to_dict("records")
    ]


def csv(table: "pd.DataFrame") -> str:
    """Return a table as CSV; text in it cannot be taken for more than text."""
    plain = table.copy()
    for name in plain.columns:
        if plain[name].dtype == "object" or isinstance(plain[name].iloc[:1].squeeze(), str):
            plain[name] = plain[name].map(lambda value: safe_text(value) if isinstance(value, str) else value)
    return plain.to_csv(index=False)


def markdown(table: "pd.DataFrame") -> list[str]:
    """Return the lines of a table that GitHub shows as one, and a terminal, too."""
    import pandas as pd

    def cell(value: Any) -> str:
        if pd.isna(value):
            return ""
        text = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else safe_text(value)
        return text.replace("|", "\\|")

    rows = [[cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    head = [str(name) for name in table.columns]
    widths = [max(3, *(len(row[at]) for row in [head, *rows])) for at in range(len(head))]
    lines = [[name.ljust(width) for name, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return [f"| {' | '.join(line)} |" for line in lines]
