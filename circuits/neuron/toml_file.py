"""Reading the TOML files that people write: manifests, processes and plans."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuronsim.errors import DataError, suggest


def read_toml(path: Path) -> dict[str, Any]:
    """Content of an existing file. Raises DataError when it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from None


def first_problem(error: ValidationError, fields: Iterable[str]) -> tuple[str, str]:
    """(field, message) of the first thing that is wrong; of an unknown field with the nearest of ``fields``."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    unknown = first["type"] == "extra_forbidden" and len(first["loc"]) == 1
    return field, f"{first['msg']}.{suggest(field, fields) if unknown else ''}"
