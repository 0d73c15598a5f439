"""The JSON Schema of model cards."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from .rate_card import RateCard
from .ttfs_card import TTFSCard


def card_adapter() -> TypeAdapter:
    """Validator of either kind of card, chosen by its ``kind``."""
    return TypeAdapter(Annotated[TTFSCard | RateCard, Field(discriminator="kind")])


def card_schema() -> dict[str, Any]:
    """JSON Schema of the card file."""
    return card_adapter().json_schema()
