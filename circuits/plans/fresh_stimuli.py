"""Fresh stimuli for a card: drawn as the plan behind the card drew its own, from another stream, inside its ranges."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import DataError

from ..deck.run import Run
from ..neuron.manifest import Manifest
from . import FICurve, Transfer
from .constant_currents import current_runs

_TRIES = 1000


class FreshTransfer(Transfer):
    """Plan 'transfer' with a stream of its own, whose stimuli lie in what the card's data covered."""

    kind: ClassVar[str] = "verify"
    summary: ClassVar[str] = "fresh random stimuli within the validity of a card"
    earliest: float = Field(default=0.02, description="earliest input time, in time units")

    def draw(self, rng: np.random.Generator, manifest: Manifest, silent: bool) -> tuple[np.ndarray, np.ndarray]:
        times, weights = super().draw(rng, manifest, silent)
        for _ in range(_TRIES - 1):
            if times.min() >= self.earliest:
                break
            times, weights = super().draw(rng, manifest, silent)
        return times, weights


class FreshCurrents(FICurve):
    """Plan 'fi' at random currents, log-uniform over the card's range."""

    kind: ClassVar[str] = "verify"
    summary: ClassVar[str] = "fresh random currents within the validity of a card"

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        low, high = np.log([self.low_a or 0.0, self.high_a or 0.0])
        currents = np.exp(np.sort(self.rng(seed).uniform(low, high, self.points)))
        window_s = self.window * self.unit_s(manifest, parameters)
        return current_runs(self.kind, currents, window_s=window_s, at_a=self.low_a or 0.0, parameters=parameters)


def fresh_plan(
    card: TTFSCard | RateCard, manifest: Manifest, unit_s: float, stimuli: int
) -> FreshTransfer | FreshCurrents:
    """The plan of ``stimuli`` fresh runs for ``card``; ``unit_s``: the manifest's time unit in seconds.

    Raises DataError when the card's ranges and the manifest's validity have nothing in common.
    """
    kind = "transfer" if isinstance(card, TTFSCard) else "fi"
    known = Transfer.model_fields if isinstance(card, TTFSCard) else FICurve.model_fields
    stored = card.provenance.plans.get(kind, {})
    fields = {name: value for name, value in stored.items() if name in known and value is not None}
    if isinstance(card, TTFSCard):
        own = Transfer(**fields)
        late = card.valid_time_tau.high * card.kernel.tau_s.value / unit_s
        weight = (max(own.weight[0], card.valid_weight.low), min(own.weight[1], card.valid_weight.high))
        inputs = (max(own.inputs[0], int(card.valid_inputs.low)), min(own.inputs[1], int(card.valid_inputs.high)))
        fields |= {
            "trials": stimuli,
            "last_time": min(own.last_time, late),
            "weight": weight if weight[0] < weight[1] else (card.valid_weight.low, card.valid_weight.high),
            "inputs": inputs if inputs[0] <= inputs[1] else (int(card.valid_inputs.low), int(card.valid_inputs.high)),
            "earliest": card.valid_time_tau.low * card.kernel.tau_s.value / unit_s,
        }
        return FreshTransfer(**fields)
    low, high = manifest.validity.current_a or (0.0, 0.0)
    span = max(low, card.valid_current_a.low), min(high, card.valid_current_a.high)
    if not 0 < span[0] < span[1]:
        raise DataError(
            f"the card is of currents {card.valid_current_a.low:g} to {card.valid_current_a.high:g} A, the manifest of "
            f"{manifest.name} allows {low:g} to {high:g} A: calibrate a new card"
        )
    return FreshCurrents(**{**fields, "points": stimuli, "low_a": span[0], "high_a": span[1]})
