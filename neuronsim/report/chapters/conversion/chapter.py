"""Files and report section of a conversion study."""

from __future__ import annotations

from pathlib import Path

from neuronsim.artifacts.atomic_write import write_text
from neuronsim.artifacts.conversion_study import ConversionStudy
from neuronsim.report.page.elements import Block, Note, Picture, Section
from neuronsim.report.page.figures import save_png

from .plots import conversion_plot
from .tables import TITLE, about, converted_csv, markdown, tables


def write_files(study: ConversionStudy, folder: Path) -> list[Path]:
    """Write ``conversion.png`` (plot), ``conversion.md`` (tables) and ``conversion.csv`` (every network and time)."""
    return [
        save_png(conversion_plot, folder / "conversion.png", study),
        write_text(folder / "conversion.md", markdown(study)),
        write_text(folder / "conversion.csv", converted_csv(study)),
    ]


def conversion_section(study: ConversionStudy, source: str, anchor: str) -> Section:
    """Plot and tables of one study."""
    blocks: list[Block] = []
    if study.quick:
        text = "This study was shortened (--quick): it shows that everything runs, not what the method can do."
        blocks.append(Note(text=text, warning=True))
    blocks.append(Picture(svg=conversion_plot(study), caption=about(study), source=source))
    blocks += tables(study, source)
    if study.command:
        blocks.append(Note(text=f"Made by: {study.command}"))
    return Section(title=f"{TITLE} ({study.data})", short="Noise adaptor", anchor=anchor, blocks=blocks)
