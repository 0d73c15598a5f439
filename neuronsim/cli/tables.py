"""Tables of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table


def plain_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> Table:
    """``rows`` without a box, under their ``title``; texts are rich markup."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold")
    table.box, table.pad_edge, table.padding = None, False, (0, 2, 0, 0)
    for row in rows:
        table.add_row(*row)
    return table
