"""An artifact in a report, with the file that it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..artifacts.base import Artifact
from ..artifacts.catalogue import read
from .page.elements import Source


@dataclass(frozen=True, kw_only=True)
class Item:
    """``kind``: that of the artifact; ``sources``: its file and those beside it that belong to it; ``anchor``: its own."""

    kind: str
    artifact: Artifact
    path: Path
    sources: tuple[Source, ...]
    anchor: str

    @classmethod
    def of(cls, path: Path, relative_to: Path, number: int) -> Item:
        """Read the artifact at ``path``; sources are named relative to a folder. Raises as :func:`.catalogue.read`."""
        artifact = read(path)
        files = (path, *artifact.beside(path))
        sources = tuple(Source.of(file, relative_to) for file in files)
        return cls(kind=artifact.kind, artifact=artifact, path=path, sources=sources, anchor=f"{artifact.kind}{number}")

    @property
    def source(self) -> str:
        """The files as the page names them."""
        return ", ".join(map(str, self.sources))
