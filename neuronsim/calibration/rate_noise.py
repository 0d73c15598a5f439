"""The membrane noise of a rate neuron, from its card."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Array
from ..artifacts.rate_card import RateCard
from ..errors import InputError
from ..neuron.firing_rate import interval
from ..neuron.interval_noise import interval_variance, membrane_diffusion


def reference_current(low: float, high: float, rheobase: float = 0.0) -> float:
    """Current (ampere) at which a card states ``isi_jitter``: geometric mean of its range of currents above the rheobase."""
    return float(np.sqrt(max(low, min(rheobase, high)) * high))


class CardNoise(NamedTuple):
    """What a card's isi_jitter means at its reference current."""

    spread_s: float  # standard deviation of the interval
    charging_s: float  # the interval without the refractory time
    diffusion: float  # membrane_diffusion that gives this spread


def card_noise(card: RateCard) -> CardNoise:
    """Spread of the interval and noise of the membrane behind ``card.isi_jitter``.

    Raises InputError for a rheobase above the card's currents.
    """
    charge, rheobase = card.charge_per_spike_c.value, card.rheobase_a.value
    at = reference_current(card.valid_current_a.low, card.valid_current_a.high, rheobase)
    charging_s = float(interval(at, charge_per_spike=charge, rheobase=rheobase))
    if not np.isfinite(charging_s):
        raise InputError(
            f"the card's rheobase {rheobase:g} A is not below its currents (up to {at:g} A): it never fires"
        )
    spread_s = card.isi_jitter.value * (charging_s + card.refractory_s.value)
    diffusion = membrane_diffusion(spread_s, at, charge_per_spike=charge, rheobase=rheobase)
    return CardNoise(spread_s, charging_s, diffusion)


def card_interval_variation(card: RateCard, current_a: Array) -> Array:
    """Coefficient of variation of the interval that the card predicts at ``current_a`` (n,), NaN at and below the rheobase.

    Raises InputError as :func:`card_noise` does.
    """
    neuron = {"charge_per_spike": card.charge_per_spike_c.value, "rheobase": card.rheobase_a.value}
    density = 2 * (card_noise(card).diffusion * card.charge_per_spike_c.value) ** 2
    variation = np.full(current_a.shape, np.nan)
    fires = current_a > card.rheobase_a.value
    spread = np.sqrt(interval_variance(current_a[fires], density=density, **neuron))
    variation[fires] = spread / interval(current_a[fires], refractory=card.refractory_s.value, **neuron)
    return variation
