"""Datasheets and reports: self-contained HTML in which each number names the file it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .datasheet import levels_near, write_datasheet
from .discover import Parts, discover

if TYPE_CHECKING:
    from .report import write_report

__all__ = ["Parts", "discover", "levels_near", "write_datasheet", "write_report"]


def __getattr__(name: str) -> Any:
    if name != "write_report":
        raise AttributeError(f"module 'neuronsim.report' has no attribute {name!r}")
    from .report import write_report  # with all of its plots: a second

    return write_report
