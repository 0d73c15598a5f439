"""Tables of the terminal."""

from __future__ import annotations

from rich.table import Table


def plain_table(*columns: str, title: str | None = None) -> Table:
    """An empty table without a box, under its ``title``."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold")
    table.box, table.pad_edge, table.padding = None, False, (0, 2, 0, 0)
    return table
