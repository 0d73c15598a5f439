"""The base of everything that is data with a schema: parts of artifacts, plans, experiments, manifests; reading them as TOML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import DataError, InputError, suggest

_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Part(BaseModel):
    """A frozen piece of data: unknown fields, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def content_of(value: Any) -> Any:
    """``value`` as plain data, of each :class:`Part` in it the fields that differ from their defaults and its ``kind``.

    Digests are taken over this, so that a new field with a default changes none.
    """
    if isinstance(value, Part):
        defaults = {
            name: field.get_default(call_default_factory=True) for name, field in type(value).model_fields.items()
        }
        changed = {name: inner for name, inner in value if name == "kind" or inner != defaults[name]}
        return {name: content_of(inner) for name, inner in changed.items()}
    if isinstance(value, (list, tuple)):
        return [content_of(inner) for inner in value]
    return {name: content_of(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def read_toml(path: Path | str, noun: str) -> dict[str, Any]:
    """The content of a file that holds a ``noun``. Raises InputError when there is none, DataError when it is not TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"no {noun} file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from None


def rejected_field(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first field of a ``kind`` that was rejected, in one sentence: its name, value and legal range, or the nearest name."""
    first = error.errors()[0]
    names, tags = _names(kind)
    field = ".".join(str(part) for part in first["loc"] if part not in tags)
    value, context = first.get("input"), first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        return f"unknown field '{field}'.{suggest(str(first['loc'][-1]), names)}"
    if first["type"] == "missing":
        return f"{field}: {first['msg']}"
    if first["type"] == "literal_error":
        choices = re.findall("'([^']*)'", context["expected"])
        return f"{field} = {value!r} is not known.{suggest(str(value), choices)}"
    limit = next((f"{words} {context[name]:g}" for name, words in _LIMITS.items() if name in context), None)
    if limit:
        return f"{field} = {value!r} is out of range: {limit}"
    message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    return f"{field} = {value!r:.60}: {message}" if field else message


def _names(kind: Any) -> tuple[set[str], set[str]]:
    """The names of all fields of a model and of those it is made of, and the words that tell members of a union apart."""
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
