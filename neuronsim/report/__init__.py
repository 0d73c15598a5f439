"""Datasheets and reports: self-contained HTML in which each number names the file it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import loader
from .datasheet import levels_near, write_datasheet

if TYPE_CHECKING:
    from .report import discover, write_report
    from .study_files import write_study_files

__all__ = ["discover", "levels_near", "write_datasheet", "write_report", "write_study_files"]

# With all of their plots: a second.
__getattr__ = loader(__name__, {"discover": "report", "write_report": "report", "write_study_files": "study_files"})
