"""The base of everything that is data with a schema: parts of artifacts, plans, experiments, manifests; reading them as TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import DataError, InputError, suggest

_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Part(BaseModel):
    """A frozen piece of data: unknown fields, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_toml(path: Path | str, noun: str) -> dict[str, Any]:
    """The content of a file that holds a ``noun``. Raises InputError when there is none, DataError when it is not TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no {noun} file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from None


def rejected_field(error: ValidationError, known: Iterable[str] = ()) -> str:
    """The first field that was rejected, in one sentence: its name, value and legal range, or the nearest of ``known``."""
    first = error.errors()[0]
    field, value, context = ".".join(map(str, first["loc"])), first.get("input"), first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        return f"unknown field '{field}'.{suggest(field, known)}"
    if first["type"] == "missing":
        return f"{field}: {first['msg']}"
    if first["type"] == "literal_error":
        choices = re.findall("'([^']*)'", context["expected"])
        return f"{field} = {value!r} is not known.{suggest(str(value), choices)}"
    limit = next((f"{words} {context[name]:g}" for name, words in _LIMITS.items() if name in context), None)
    if limit:
        return f"{field} = {value!r} is out of range: {limit}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{field} = {value!r:.60}: {message}" if field else message
