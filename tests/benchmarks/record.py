"""What every benchmark writes beside its figures: the machine, and the README's block."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from neuronsim.artifacts.atomic_write import write_text

README = Path(__file__).parents[2] / "README.md"


def machine_line(*more: str) -> str:
    """The machine on one line, with the versions of ``more`` that the figures depend on."""
    parts = f"{os.cpu_count()} cores {platform.machine()}", f"Python {platform.python_version()}", *more
    return ", ".join(parts)


def write_readme(block: str, target: str, text: str) -> None:
    """Replace what ``make TARGET`` wrote before between the README's markers of ``block``."""
    begin, end = f"<!-- {block}: begin (written by make {target}) -->", f"<!-- {block}: end -->"
    before, rest = README.read_text(encoding="utf-8").split(begin)
    write_text(README, f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
