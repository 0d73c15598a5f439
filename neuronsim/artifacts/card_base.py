"""What every model card has: schema version, quality, provenance, and a digest over its content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from ..errors import DataError, InputError
from .atomic_write import sha256_of, write_text
from .base import _Part
from .card_parts import Provenance, Quality

if TYPE_CHECKING:
    from .rate_card import RateCard
    from .ttfs_card import TTFSCard

SCHEMA_VERSION = 1


UNSIGNED = "unsigned"


#: optional fields added after the first cards were written: absent from the digest while empty, so that old cards keep theirs
_ADDED = {
    "timing_noise": ("resolution_s", "loop_v"),
    "quality": (
        "n_compared",
        "bias",
        "spread",
        "median_over_target",
        "p95_over_target",
        "coverage",
        "n_coverage",
        "sigma_over_predicted",
        "coverage_of",
        "isi_jitter_error",
        "n_isi_jitter",
        "isi_jitter_floor",
        "threshold_mismatch_error",
    ),
    "provenance": ("manifest",),
}


class ModelCard(_Part):
    """Base of all cards. Use :meth:`load` to read either kind.

    Raises (load): DataError when the file is not a card, has another schema version, an unknown or missing field, a
    value out of range, or a content that does not match its digest.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    neuron: str
    not_fitted: dict[str, str] = Field(description="what the data could not support, and why")
    quality: Quality
    provenance: Provenance
    digest: str = ""

    _adapter: ClassVar[TypeAdapter | None] = None

    def content_digest(self) -> str:
        """SHA-256 over everything but the digest itself."""
        content = self.model_dump(mode="json", exclude={"digest"})
        for part, names in _ADDED.items():
            for name in names:
                if content.get(part, {}).get(name, "") in (None, ""):
                    content.get(part, {}).pop(name, None)
        return sha256_of(json.dumps(content, sort_keys=True))

    def signed(self) -> Self:
        """The same card with a digest that matches its content."""
        return self.model_copy(update={"digest": self.content_digest()})

    @property
    def edited(self) -> bool:
        """True when a person took responsibility for the values by setting ``digest`` to "unsigned"."""
        return self.digest == UNSIGNED

    def save(self, path: Path | str) -> Path:
        """Write the card as JSON, whole or not at all."""
        card = self if self.edited else self.signed()
        return write_text(path, card.model_dump_json(indent=2) + "\n")

    @staticmethod
    def load(path: Path | str) -> TTFSCard | RateCard:
        """Read and check a card of either kind."""
        from .cards import card_adapter

        path = Path(path)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"no card at {path}: make one with 'neuronsim calibrate DATASET --out {path}'") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise DataError(f"{path} is not a readable card ({error}): calibrate again") from None
        if not isinstance(raw, dict) or "schema_version" not in raw:
            raise DataError(f"{path} is not a model card: it has no schema_version")
        if raw["schema_version"] != SCHEMA_VERSION:
            raise DataError(
                f"{path} has schema_version {raw['schema_version']!r}, this neuronsim reads {SCHEMA_VERSION}: "
                "calibrate the dataset again with this version"
            )
        try:
            card = card_adapter().validate_python(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"] if part not in ("ttfs", "rate"))
            raise DataError(f"{path}: field '{where}': {first['msg']} (got {first.get('input')!r:.80})") from None
        if not card.edited and card.digest != card.content_digest():
            raise DataError(
                f"{path} was changed after it was calibrated: its content does not match its digest. "
                f'To use an edited card on purpose, set "digest": "{UNSIGNED}" in it; reports will then say so.'
            )
        return card
