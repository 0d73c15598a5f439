"""Files and the report section of the noisy-weights reproduction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuronsim.artifacts.atomic_write import write_text
from neuronsim.artifacts.noisy_weights_study import NoisyWeights
from neuronsim.report.page.elements import Block, Picture, Section
from neuronsim.report.page.figures import save_png

from .plots import plots
from .tables import TITLE, about, markdown, rows_csv, tables


def write_files(study: NoisyWeights, folder: Path) -> list[Path]:
    """Write the plots (.png), the tables (.md) and every row (.csv) into ``folder``."""
    written = [
        write_text(folder / "noisy-weights.md", markdown(study)),
        write_text(folder / "noisy-weights.csv", rows_csv(study)),
    ]
    for name, (picture, _) in plots(study).items():
        draw: Any = picture
        written.append(save_png(draw, folder / f"{name}.png", study))
    return written


def noisy_weights_section(study: NoisyWeights, source: str, anchor: str) -> Section:
    """Pictures and tables of the reproduction."""
    blocks: list[Block] = []
    for picture, caption in plots(study).values():
        draw: Any = picture
        blocks.append(Picture(svg=draw(study), caption=caption, source=source))
    blocks += tables(study, source)
    return Section(title=TITLE, short="Noisy weights", anchor=anchor, blocks=blocks, intro=about(study))
