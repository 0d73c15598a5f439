"""Reading a model card of either kind, and the schema of the file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from .rate_card import RateCard
from .ttfs_card import TTFSCard


def card_adapter() -> TypeAdapter:
    """Validator of either kind of card, chosen by its ``code``."""
    return TypeAdapter(Annotated[TTFSCard | RateCard, Field(discriminator="code")])


def card_schema() -> dict[str, Any]:
    """JSON Schema of the card file."""
    return card_adapter().json_schema()
