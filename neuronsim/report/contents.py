"""The artifacts of a report, and which chapter shows which kind: its contents, in their order.

A chapter is a function of an item and all items of the report that returns sections. A new kind of artifact gets its chapter by
one line in :data:`CHAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ..artifacts.base import Artifact
from ..artifacts.catalogue import read
from ..artifacts.dataset import Characterization
from .chapters.abstraction_levels import levels_section
from .chapters.bench import conditions, provenance, status
from .chapters.card import card_section, verification_section
from .chapters.evaluation import evaluation_section, training_section
from .datasheet_page import measured_sections
from .page.elements import Section, Source
from .study_files import study_section


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


Chapter = Callable[[Item, Sequence[Item]], list[Section]]


def _alone(section: Callable[[Any, str, str], Section]) -> Chapter:
    """The chapter of one section that knows its artifact, its source and its anchor."""
    return lambda item, _: [section(item.artifact, item.source, item.anchor)]


def _characterization(item: Item, items: Sequence[Item]) -> list[Section]:
    """Sections of a dataset; status and provenance go to the end. Among several datasets each title names its neuron."""
    data, source = cast(Characterization, item.artifact).data, item.source
    cards: Any = [other.artifact for other in items if other.kind in ("ttfs_card", "rate_card")]
    card = next((c for c in cards if (c.neuron, c.code) == (data.attrs["neuron"], data.attrs["code"])), None)
    sections = [conditions(data, source), *measured_sections(data, source, card)]
    last = [status(data, source), provenance(data, source, item.sources[0].sha256)]
    sections += [section and replace(section, appendix=True) for section in last]
    name = f"{data.attrs['neuron']}: " if sum(other.kind == item.kind for other in items) > 1 else ""
    return [
        replace(
            section,
            title=f"{name}{section.title}",
            short=f"{name}{section.short or section.title}",
            anchor=f"{item.anchor}-{section.anchor}",
        )
        for section in sections
        if section is not None
    ]


#: kind -> chapter
CHAPTERS: dict[str, Chapter] = {
    "characterization": _characterization,
    "abstraction_levels": lambda item, _: [levels_section(cast(Any, item.artifact).data, item.source, item.anchor)],
    "ttfs_card": _alone(card_section),
    "rate_card": _alone(card_section),
    "verification": _alone(verification_section),
    "training_run": lambda item, _: [training_section(cast(Any, item.artifact), item.path, item.source, item.anchor)],
    "evaluation": _alone(evaluation_section),
    "robustness_study": _alone(study_section),
    "conversion_study": _alone(study_section),
    "noisy_weights_study": _alone(study_section),
}
