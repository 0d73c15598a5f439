"""What the plan of every study is: a frozen, keyword-only object that is right when it is made, and that TOML keeps."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import tomli_w
from pydantic import AfterValidator, ValidationError

from neuronsim.atomic_write import write_text
from neuronsim.errors import InputError
from neuronsim.schema import Part, read_toml, rejected_field

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
            raise InputError(f"plan '{self.study}': {rejected_field(error, type(self))}") from None

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
        tables = read_toml(path, "plan")
        if list(tables) != [cls.study] or not isinstance(tables[cls.study], dict):
            raise InputError(f"{path} holds {list(tables)}: a plan of this study is one table, [{cls.study}]")
        try:
            return cls(**tables[cls.study])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
