"""Writes docs/files.md from the classes of the artifacts: every kind of file, its fields, their types and what they say."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from neuronsim.artifacts.base import Artifact, JsonArtifact
from neuronsim.artifacts.catalogue import SHIPPED
from neuronsim.artifacts.netcdf import NetcdfArtifact

PAGE = Path(__file__).with_name("files.md")
INTRO = """# Files

Every file that passes between the parts of neuronsim is of one of these kinds. All carry `kind`, `schema_version` and `digest`
(SHA-256 over the content; a file changed by hand is refused until its digest is set to "unsigned"). In Python,
`neuronsim.artifacts.catalogue.read(path)` reads any of them. Units are in the names of fields: `_s` seconds, `_tau` time
constants, `_v` volts (or thresholds, where the text says so), `_a` amperes, `_j` joules, `_w` watts, `_c` coulombs (temperatures:
degrees Celsius), `_hz` hertz, `_db` decibels; accuracies, probabilities and spreads are fractions.

This page is written by `make files-page` from the classes themselves.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([INTRO, *(line for kind in SHIPPED.values() for line in _kind(kind))])


def _kind(kind: type[Artifact]) -> list[str]:
    name = kind.model_fields["kind"].default if issubclass(kind, JsonArtifact) else kind.kind
    head = [f"## {kind.noun} (`{name}`, {kind.suffix})", "", f"Made by `{kind.made_by}`. {_first(kind)}", ""]
    if issubclass(kind, NetcdfArtifact):
        text = inspect.getdoc(inspect.getmodule(kind)) or ""
        return [*head, "```text", text, "```", ""]
    assert issubclass(kind, JsonArtifact)
    lines = [*head, *_fields(kind)]
    for part in _parts(kind):
        lines += [f"### {part.__name__}", "", _first(part), "", *_fields(part)]
    return lines


def _first(thing: type) -> str:
    """First paragraph of the documentation, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _fields(model: type[BaseModel]) -> list[str]:
    rows = [
        f"| `{name}` | {_type(field.annotation)} | {(field.description or '').replace('|', '/')} |"
        for name, field in model.model_fields.items()
        if name not in ("kind", "schema_version", "digest")
    ]
    return ["| field | type | |", "|---|---|---|", *rows, ""]


def _type(annotation: Any) -> str:
    text = (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )
    return re.sub(r"\b(?:typing|neuronsim[\w.]*)\.(?=\w)", "", text).replace("NoneType", "None").replace("|", "or")


def _parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Models inside ``model``, each once, in the order in which they are met."""
    parts: dict[type[BaseModel], None] = {}

    def collect(annotation: Any) -> None:
        for inner in getattr(annotation, "__args__", ()):
            collect(inner)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in parts:
            parts[annotation] = None
            for field in annotation.model_fields.values():
                collect(field.annotation)

    for field in model.model_fields.values():
        collect(field.annotation)
    return list(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
