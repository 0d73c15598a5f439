"""Files of a robustness study: one plot, one table to read, one to compute with."""

from __future__ import annotations

from pathlib import Path

from ..artifacts.atomic_write import write_text
from ..artifacts.robustness_study import Study
from .chapters.robustness.plots import PLOTS
from .chapters.robustness.tables import markdown, points_csv
from .page.figures import save_png


def write_files(study: Study, folder: Path) -> list[Path]:
    """Write ``KIND.png`` (plot), ``KIND.md`` (tables) and ``KIND.csv`` (every point) into ``folder``."""
    return [
        save_png(PLOTS[study.study], folder / f"{study.study}.png", study),
        write_text(folder / f"{study.study}.md", markdown(study)),
        write_text(folder / f"{study.study}.csv", points_csv(study)),
    ]
