"""What a page is made of: sections of pictures, tables, notes and preformatted text, each naming its file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Concatenate, ParamSpec

from neuronsim.artifacts.dataset import select
from neuronsim.atomic_write import sha256_file

Parameters = ParamSpec("Parameters")
_NUMBER = re.compile(r"^[\s\d.,×⁻⁰¹²³⁴⁵⁶⁷⁸⁹∞–±+\-\[\]…%]*([yzafpnµmkMGT]?(s|V|A|J|W|Hz|Ω|F|C|rad|bit|√s))?[\s\]]*$")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file a number came from: its path as the reader sees it, and the SHA-256 of its content."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path, relative_to: Path) -> Source:
        """Source of an existing file, its path relative to the folder of the page."""
        return cls(path=Path(os.path.relpath(path, relative_to)).as_posix(), sha256=sha256_file(path))

    def __str__(self) -> str:
        return f"{self.path} (sha256 {self.sha256[:12]})" if self.sha256 else self.path


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An SVG drawing with its caption."""

    kind: ClassVar[str] = "picture"
    svg: str
    caption: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under a header; ``shade`` (rows, columns) in 0..1 colors cells, ``folded`` hides rows."""

    kind: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    source: str = ""
    shade: Sequence[Sequence[float]] | None = None
    folded: bool = False

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers only (they are right-aligned)."""
        columns = zip(*self.rows, strict=True)
        flags = [all(_NUMBER.match(cell) for cell in column) for column in columns]
        return flags or [False] * len(self.header)

    def markdown(self) -> str:
        """Caption and table as Markdown; a bar, which would split a cell, becomes a slash."""
        rows = [self.header, ["---"] * len(self.header), *self.rows]
        lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
        return "\n".join([self.caption, "", *lines])


@dataclass(frozen=True, kw_only=True)
class Note:
    """A paragraph; ``warning`` marks what a reader must not overlook."""

    kind: ClassVar[str] = "note"
    text: str
    warning: bool = False


@dataclass(frozen=True, kw_only=True)
class Text:
    """Preformatted text (a plan, an experiment)."""

    kind: ClassVar[str] = "text"
    caption: str
    text: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Headline figures: (label, value, detail) each."""

    kind: ClassVar[str] = "tiles"
    items: Sequence[tuple[str, str, str]]
    source: str = ""


Block = Picture | Table | Note | Text | Tiles


@dataclass(frozen=True, kw_only=True)
class Section:
    """A titled part of the page; ``short`` stands for the title in the list of contents; ``appendix``: it comes last."""

    title: str
    short: str = ""
    anchor: str
    blocks: Sequence[Block]
    intro: str = ""
    appendix: bool = False

    def from_file(self, source: str) -> Section:
        """This section with ``source`` named under each of its blocks that names none."""
        named = [b if isinstance(b, Note) or b.source else replace(b, source=source) for b in self.blocks]
        return replace(self, blocks=named)


def chapter(
    title: str, *, anchor: str, short: str = "", intro: str = "", plan: str = ""
) -> Callable[
    [Callable[Concatenate[Any, Parameters], Iterable[Block]]],
    Callable[Concatenate[Any, str, Parameters], Section | None],
]:
    """Make a function that yields the blocks of a dataset a chapter: a function of the dataset and of the file it came from,
    which is named under each block. None where there is nothing to show.

    ``plan``: the function gets the valid runs of this plan instead of the whole dataset, and is not asked where there are none.
    """

    def decorate(function: Callable[Concatenate[Any, Parameters], Iterable[Block]]) -> Callable[..., Section | None]:
        @wraps(function)
        def section(dataset: Any, source: str, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Section | None:
            rows = select(dataset, plan) if plan else dataset
            asked = not plan or rows.sizes["run"] > 0
            blocks = list(function(rows, *args, **kwargs)) if asked else []
            made = Section(title=title, short=short, anchor=anchor, intro=intro, blocks=blocks)
            return made.from_file(source) if blocks else None

        return section

    return decorate


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole document. ``facts`` are label-value pairs shown under the title; ``made_from``: see :mod:`.unchanged`."""

    title: str
    kicker: str
    lead: str
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    sections: Sequence[Section] = field(default_factory=tuple)
    made_from: str = ""
