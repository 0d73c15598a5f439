"""What the report says about one study, and its forms: a section of a page, and files beside the study's JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from neuronsim.atomic_write import write_text

from .elements import Block, Note, Picture, Section, Table
from .figures import save_png


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture of a study, made by :func:`neuronsim.report.page.figures.drawn`; ``name``: of its file, without ending."""

    name: str
    draw: Callable[..., str]
    caption: str


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """Title, plots, tables and sentences about ``study``.

    ``name``: of its files, without ending; ``about``: what was run; ``findings``: sentences made from its numbers; ``notes``:
    what a reader must know first; ``appendix``: tables of the section only; ``rows``: everything measured, each a row of the
    .csv file; ``intro``: leads the section.
    """

    study: Any
    name: str
    title: str
    short: str = ""
    about: str
    plots: Sequence[Plot]
    tables: Sequence[Table]
    rows: Sequence[Mapping[str, Any]]
    findings: Sequence[str] = ()
    notes: Sequence[Note] = ()
    appendix: Sequence[Table] = ()
    intro: str = ""
    command: str = ""

    def section(self, source: str, anchor: str) -> Section:
        """Notes, plots and tables as a section of a page; ``source``: the study's file."""
        blocks: list[Block] = list(self.notes)
        blocks += [Picture(svg=plot.draw(self.study), caption=plot.caption, source=source) for plot in self.plots]
        blocks += [replace(table, source=source) for table in (*self.tables, *self.appendix)]
        if self.command:
            blocks.append(Note(text=f"Made by: {self.command}"))
        return Section(title=self.title, short=self.short, anchor=anchor, blocks=blocks, intro=self.intro)

    def markdown(self) -> str:
        """What was run, the findings, and all tables."""
        parts = [f"# {self.title}", self.about, *(f"- {sentence}" for sentence in self.findings)]
        parts += [table.markdown() for table in self.tables]
        parts += [f"Made by `{self.command}`."] if self.command else []
        return "\n\n".join(parts) + "\n"

    def csv(self) -> str:
        """All rows. As objects: integers beside empty cells stay integers."""
        return pd.DataFrame(list(self.rows), dtype=object).to_csv(index=False, lineterminator="\n")

    def write(self, folder: Path) -> list[Path]:
        """Write plots (.png), tables (.md) and rows (.csv) into ``folder``. Raises OutputError."""
        files = [save_png(plot.draw, folder / f"{plot.name}.png", self.study) for plot in self.plots]
        files.append(write_text(folder / f"{self.name}.md", self.markdown()))
        return [*files, write_text(folder / f"{self.name}.csv", self.csv())]
