"""What every benchmark writes beside its figures: the machine, and its block of docs/measured.md."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from neuronsim.atomic_write import write_text

#: the page of the measured figures; its links are relative to its folder
PAGE = Path(__file__).parents[2] / "docs" / "measured.md"


def machine_line(*more: str) -> str:
    """The machine on one line, with the versions of ``more`` that the figures depend on."""
    parts = f"{os.cpu_count()} cores {platform.machine()}", f"Python {platform.python_version()}", *more
    return ", ".join(parts)


def picture(title: str, file: str) -> str:
    """The link of the page to a picture beside the benchmarks."""
    return f"![{title}](../tests/benchmarks/{file})"


def write_block(block: str, target: str, text: str) -> None:
    """Replace what ``make TARGET`` wrote before between the markers of ``block`` on the page."""
    begin, end = f"<!-- {block}: begin (written by make {target}) -->", f"<!-- {block}: end -->"
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    write_text(PAGE, f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
