"""Datasheets and reports: self-contained HTML in which each number names the file it came from."""

from .datasheet import levels_near, write_datasheet
from .discover import Parts, discover
from .report import write_report

__all__ = ["Parts", "discover", "levels_near", "write_datasheet", "write_report"]
