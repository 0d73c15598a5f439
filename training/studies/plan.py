"""What the plan of every study is: a frozen, keyword-only object that is right when it is made, and that TOML keeps."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import tomli_w
from pydantic import AfterValidator, ValidationError

from neuronsim.artifacts.atomic_write import write_text
from neuronsim.errors import DataError, InputError, rejected_field
from neuronsim.schema import Part

_Value = TypeVar("_Value")
#: values in the order given, each once
Several = Annotated[tuple[_Value, ...], AfterValidator(lambda values: tuple(dict.fromkeys(values)))]


class StudyPlan(Part):
    """Base of the plans. ``study``: name of the study, and of its table in a TOML file.

    Making one raises InputError for a field that is unknown, out of range or contradicts another.
    """

    study: ClassVar[str]

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise InputError(f"plan '{self.study}': {rejected_field(error, type(self).model_fields)}") from None

    @classmethod
    def summary(cls) -> str:
        """The first sentence of its docstring."""
        return (cls.__doc__ or "").partition("\n")[0]

    def changed(self, **fields: Any) -> Self:
        """The same plan with other ``fields``, checked as a new one."""
        return type(self)(**{**dict(self), **fields})

    def save(self, path: Path | str) -> Path:
        """Write as TOML. Raises OutputError."""
        return write_text(path, tomli_w.dumps({self.study: self.model_dump(mode="json", exclude_none=True)}))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read from TOML. Raises InputError (no such file, another study, a wrong field), DataError (not TOML)."""
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no plan file {path}") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DataError(f"{path}: not valid TOML: {error}") from None
        if list(tables) != [cls.study] or not isinstance(tables[cls.study], dict):
            raise InputError(f"{path} holds {list(tables)}: a plan of this study is one table, [{cls.study}]")
        return cls(**tables[cls.study])
