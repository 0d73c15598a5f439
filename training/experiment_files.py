"""Experiments and networks as TOML files, checked when they are read: those of the package by name, others by path."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ValidationError

from neuronsim.errors import InputError, suggest
from neuronsim.schema import Part

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


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises InputError naming the file when there is none, or none that can be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no experiment file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from None


def parse(kind: type[Kind], raw: dict[str, Any], where: Path | str) -> Kind:
    """``raw`` as the data of ``kind``. Raises InputError naming ``where``, the field and the nearest legal word."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        names, tags = _names(kind)
        field = [str(part) for part in first["loc"] if part not in tags]
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = suggest(field[-1], names)
        elif first["type"] == "literal_error":
            hint = suggest(str(first["input"]), re.findall("'([^']*)'", str(first.get("ctx"))))
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{where}: field '{'.'.join(field) or 'experiment'}': {message} (got {first['input']!r:.60}).{hint}"
        ) from None


def _names(kind: Any) -> tuple[set[str], set[str]]:
    """The names of all fields in a section and in those it is made of, and the words by which layers are told apart."""
    names: set[str] = set()
    tags: set[str] = set()
    parts = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        names |= set(fields)
        tags |= {fields["kind"].default} if "kind" in fields else set()
        parts = [field.annotation for field in fields.values()]
    for part in parts:
        more_names, more_tags = _names(part)
        names |= more_names
        tags |= more_tags
    return names, tags


def to_toml(section: Part) -> str:
    """The section as TOML; reading it back gives the same."""
    return tomli_w.dumps(section.model_dump(mode="json", exclude_none=True))
