"""Datasheets and reports: self-contained HTML in which each number names the file it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader
from .datasheet import levels_near, write_datasheet

if TYPE_CHECKING:
    from .report import discover, write_report

__all__ = ["discover", "levels_near", "write_datasheet", "write_report"]

__getattr__ = loader(__name__, {"discover": "report", "write_report": "report"})  # with all of its plots: a second
