"""The model card that a network of one code runs on."""

from pathlib import Path
from typing import TypeVar

from neuronsim.artifacts.card_base import ModelCard
from neuronsim.errors import InputError

Card = TypeVar("Card", bound=ModelCard)


def as_card(card: ModelCard | Path | str, kind: type[Card]) -> Card:
    """``card``, read where it is a path. Raises InputError when it is of another kind of neuron than ``kind``."""
    loaded = card if isinstance(card, ModelCard) else ModelCard.load(card)
    if not isinstance(loaded, kind):
        raise InputError(f"'{loaded.neuron}' has a {loaded.code} card: this network needs a {kind.code} card")
    return loaded
