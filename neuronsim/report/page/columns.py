"""Tables by declaration: each column says its header, where its value comes from, and how it is written."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar

from neuronsim.units import quantity

from .elements import Table

Row = TypeVar("Row")
MISSING = "–"


@dataclass(frozen=True)
class Column(Generic[Row]):
    """``header``; ``value`` of a row: a function, or the dotted name of an attribute; ``text``: how a value is written.

    A value that is None or NaN is written as a dash and not passed to ``text``.
    """

    header: str
    value: Callable[[Row], Any] | str
    text: Callable[[Any], str] = str

    def cell(self, row: Row) -> str:
        """What stands in this column for ``row``."""
        value = attrgetter(self.value)(row) if isinstance(self.value, str) else self.value(row)
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        return MISSING if missing else self.text(value)


def plain(*names: str) -> list[Column[Any]]:
    """Columns whose header is the name of the attribute that they show."""
    return [Column(name, name) for name in names]


def in_unit(unit: str, digits: int = 4) -> Callable[[float], str]:
    """Writes values in ``unit`` with an engineering prefix."""
    return partial(quantity, unit=unit, digits=digits)


def table(caption: str, columns: Sequence[Column[Row]], rows: Iterable[Row], **more: Any) -> Table:
    """The table of ``rows`` with ``columns``; ``more``: further fields of :class:`Table`."""
    cells = [tuple(column.cell(row) for column in columns) for row in rows]
    return Table(caption=caption, header=tuple(column.header for column in columns), rows=cells, **more)


def numbered(header: str, values: str, rows: Sequence[Row], text: Callable[[Any], str]) -> list[Column[Row]]:
    """A column for each entry of the rows' list ``values``, under ``header`` with its number from 1; a dash behind its end."""
    lists = attrgetter(values)
    return [
        Column(header.format(k + 1), lambda row, k=k: next(iter(lists(row)[k : k + 1]), None), text)
        for k in range(max((len(lists(row)) for row in rows), default=0))
    ]


def turned(original: Table) -> Table:
    """The same cells with rows and columns exchanged: a column for each former row, under its first cell."""
    header, *rows = zip(original.header, *original.rows, strict=True)
    return replace(original, header=header, rows=rows)
