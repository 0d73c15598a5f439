"""What every file has that passes between the rooms: a kind, a schema version, one way to save, load and digest it.

A new kind is a subclass of :class:`JsonArtifact` or :class:`NetcdfArtifact` in a file of this package: it registers itself under
its ``kind``, where :func:`.catalogue.read`, the round-trip test and docs/files.md meet it. One chapter, and reports show it.

The content digest is a SHA-256 over kind, schema version and the fields that differ from their defaults, so that a new field
with a default changes no digest. It is written into the file and checked on reading: a value changed by hand is refused, unless
the person sets the digest to "unsigned" (:attr:`Artifact.edited`).
"""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, ValidationError

from ..atomic_write import sha256_of, write_text
from ..errors import DataError, InputError
from ..schema import Part, content_of, rejected_field

UNSIGNED = "unsigned"
#: every kind of artifact by its name; a class adds itself when it is defined
KINDS: dict[str, type[Artifact]] = {}


class Artifact:
    """One kind of file. ``noun``: what a person calls it; ``made_by``: the command that makes one; ``suffix`` of its files."""

    if TYPE_CHECKING:  # a field of JSON kinds, a class attribute of netCDF kinds
        kind: Any
    noun: ClassVar[str] = "artifact"
    made_by: ClassVar[str] = "neuronsim"
    suffix: ClassVar[str]
    digest: str

    @abstractmethod
    def content_digest(self) -> str:
        """SHA-256 over the content (see the module)."""

    @abstractmethod
    def save(self, path: Path | str) -> Path:
        """Write with its digest, whole or not at all; equal artifacts give equal bytes. Raises OutputError."""

    @classmethod
    @abstractmethod
    def _parse(cls, path: Path) -> Self:
        """Read the existing file ``path``. Raises DataError saying what is wrong with it."""

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read and check a file of this kind (of a base class: of any kind below it).

        Raises InputError when there is no such file, DataError when it is corrupt, of another kind or schema version, has an
        unknown, missing or illegal field, or a content that does not match its digest.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no {cls.noun} at {path}: make one with '{cls.made_by}'")
        artifact = cls._parse(path)
        if artifact.digest != UNSIGNED and artifact.digest != artifact.content_digest():
            raise DataError(
                f"{path} is damaged or was changed after it was made: its content does not match its digest. Make it again "
                f"with '{cls.made_by}'. To use an edited {cls.noun} on purpose, set its digest to \"{UNSIGNED}\"; "
                "reports will then say so."
            )
        return artifact

    @property
    def edited(self) -> bool:
        """True when a person took responsibility for the content by setting the digest to "unsigned"."""
        return self.digest == UNSIGNED

    def made_from(self) -> list[tuple[str, str]]:
        """What this was made from: (noun, content digest or SHA-256 of the file), for the report's chain of evidence."""
        return []

    def beside(self, path: Path) -> list[Path]:
        """Existing files beside this one's ``path`` that belong to it."""
        return []

    def provides(self, path: Path, digest: str) -> Path | None:
        """File beside this one's ``path`` that has the SHA-256 ``digest`` and that others may have been made from."""
        return None

    def names(self) -> dict[str, list[str]]:
        """What a report says this is about, such as {"neurons": [...]}."""
        return {}

    def order(self, path: Path) -> tuple[Any, ...]:
        """Key by which a report sorts the artifacts of this kind, each read from ``path``."""
        return (str(path),)


class JsonArtifact(Part, Artifact):
    """A JSON file. A concrete kind has the fields ``kind: Literal["name"] = "name"`` and ``schema_version: Literal[1] = 1``."""

    suffix: ClassVar[str] = ".json"
    digest: str = Field(default="", description="SHA-256 over the content; unsigned: edited by hand on purpose")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "kind" in cls.model_fields:
            KINDS[cls.model_fields["kind"].default] = cls

    def content_digest(self) -> str:
        """SHA-256 over kind, schema version and all fields that differ from their defaults."""
        head = {name: getattr(self, name) for name in ("kind", "schema_version")}
        content = content_of(self.model_copy(update={"digest": ""}))
        try:
            return sha256_of(json.dumps({**content, **head}, sort_keys=True, allow_nan=False))
        except ValueError:
            raise DataError(f"a {self.noun} must not hold NaN or infinity: JSON has neither") from None

    def signed(self) -> Self:
        """The same with a digest that matches its content."""
        return self.model_copy(update={"digest": self.content_digest()})

    def save(self, path: Path | str) -> Path:
        """Write as JSON with its digest, whole or not at all; equal artifacts give equal bytes. Raises OutputError."""
        signed = self if self.edited else self.signed()
        return write_text(path, signed.model_dump_json(indent=1) + "\n")

    @classmethod
    def _parse(cls, path: Path) -> Self:
        raw = read_json(path, cls.noun)
        kind = check_kind(cls, raw.get("kind"), path)
        check_version(raw.get("schema_version"), kind.model_fields["schema_version"].default, kind, path)
        try:
            return kind.model_validate(raw)
        except ValidationError as error:
            raise DataError(f"{path} is no {kind.noun}: {rejected_field(error, kind)}") from None


def read_json(path: Path, noun: str = "artifact") -> dict[str, Any]:
    """The JSON object in a file. Raises DataError when it is unreadable, not JSON, or no object, and so no ``noun``."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no {noun}: corrupt or not JSON ({error}). Make it again or remove it") from None
    if not isinstance(raw, dict):
        raise DataError(f"{path} is no {noun}: a JSON object is expected, got {type(raw).__name__}")
    return raw


def check_kind(cls: type[Artifact], kind: Any, path: Path) -> Any:
    """The class of ``kind`` if it is ``cls`` or below it."""
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is None or not issubclass(known, cls):
        raise DataError(f"{path} is no {cls.noun}: its kind is {kind!r}. Make one with '{cls.made_by}'")
    return known


def check_version(version: Any, readable: int, kind: type[Artifact], path: Path) -> None:
    """Raise DataError when a file of ``kind`` has another schema version than the ``readable`` one."""
    if isinstance(version, (str, bool, float)) or version != readable:
        given = repr(version) if isinstance(version, str) else version
        raise DataError(
            f"{path} has schema_version {given}, this neuronsim reads {readable}: make it again with '{kind.made_by}'"
        )
