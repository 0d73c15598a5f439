"""Experiments and networks as TOML files, checked when they are read: those of the package by name, others by path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import ValidationError

from neuronsim.errors import InputError, suggest
from neuronsim.schema import Part, rejected_field

Kind = TypeVar("Kind", bound=Part)


def shipped_files(folder: str) -> dict[str, Path]:
    """The TOML files in a ``folder`` of this package: name -> file."""
    return {path.stem: path for path in sorted((Path(__file__).parent / folder).glob("*.toml"))}


def file_of(name: str | Path, known: dict[str, Path], what: str = "experiment") -> Path:
    """The file of a ``known`` name ("-" counts as "_"), or the path of a TOML file as it is.

    Raises InputError for another name, with the nearest one.
    """
    path, name = Path(name), str(name)
    if path.suffix == ".toml":
        return path
    file = known.get(name) or known.get(name.replace("-", "_"))
    if file is None:
        raise InputError(f"unknown {what} '{name}'.{suggest(name, known)} Or give the path of a .toml file.")
    return file


def parse(kind: type[Kind], raw: dict[str, Any], where: Path | str) -> Kind:
    """``raw`` as the data of ``kind``. Raises InputError naming ``where``, the field and the nearest legal word."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{where}: {rejected_field(error, kind)}") from None


def to_toml(section: Part) -> str:
    """The section as TOML; reading it back gives the same."""
    return tomli_w.dumps(section.model_dump(mode="json", exclude_none=True))
