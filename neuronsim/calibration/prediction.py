"""What a card predicts for the runs of a dataset, and its distribution (equations: :mod:`neuronsim.artifacts.ttfs_card`)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from ..arrays import Array
from ..artifacts.rate_card import RateCard
from ..artifacts.ttfs_card import TTFSCard
from ..errors import InputError
from ..neuron.event_solver import first_crossing
from ..neuron.firing_rate import interval, rate
from ..neuron.interval_noise import interval_variance, membrane_diffusion
from ..neuron.kernel import Membrane

#: draws of the three sources of spread behind an interval; their quantiles are good to about 0.1 % in probability
DRAWS = 4096


def _loop(card: TTFSCard) -> dict[str, Any]:
    """The loop of ``card``, as the event solver takes it."""
    ratio = card.kernel.second_pole_ratio
    return {
        "tau": card.kernel.tau_s.value,
        "second_pole_ratio": None if ratio is None else ratio.value,
        "ramp": card.kernel.ramp_per_tau.value,
        "gain": card.weights.gain.value,
    }


def spike_times(card: TTFSCard, times: ArrayLike, weights: ArrayLike, *, window: ArrayLike = np.inf) -> Array:
    """Spike times in seconds that ``card`` predicts without noise; inf where silent or later than ``window``.

    ``times`` in seconds, ``weights``: (..., n), silent inputs at inf; ``window`` in seconds, broadcast to (...).
    """
    limit = card.kernel.xor_limit_weight
    xor_limit = None if limit is None else limit.value
    out = first_crossing(times, weights, xor_limit=xor_limit, delay=card.kernel.delay_s.value, **_loop(card))
    return np.where(out <= np.asarray(window), out, np.inf)


def firing_rates(card: RateCard, current_a: ArrayLike) -> Array:
    """Firing rates in hertz that ``card`` predicts at ``current_a`` in amperes."""
    return rate(current_a, **card.curve)


def spike_time_interval(
    card: TTFSCard,
    times: ArrayLike,
    weights: ArrayLike,
    *,
    level: float = 0.9,
    window: ArrayLike = np.inf,
    temporal: bool = True,
) -> tuple[Array, Array]:
    """Central interval (low, high), (...,) in seconds, that holds the spike time of a run with probability ``level``.

    It includes the card's timing noise (with ``temporal``), what the model leaves unexplained, the sampling of the output
    and missing spikes; not the frozen mismatch. A silent neuron counts as a spike at inf, so ``high`` is inf where silence is
    likely enough. Quantiles are taken over 4096 points of a low-discrepancy sequence, so there is no random draw.

    Raises InputError for a ``level`` outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"level = {level:g} is out of range (0, 1)")
    noise, tau = card.timing_noise, card.kernel.tau_s.value
    middle = spike_times(card, times, weights)
    fires = np.isfinite(middle)
    at = np.where(fires, middle - card.kernel.delay_s.value, 0.0)
    # additive recurrence with the plastic number of three dimensions
    root = 1.2207440846057596
    points = (0.5 + np.arange(1, DRAWS + 1)[:, None] / root ** np.arange(1, 4)) % 1.0
    shift = np.zeros((*middle.shape, DRAWS))
    if temporal:
        steepness = Membrane(times, weights, at, **_loop(card)).slope
        sigma = np.sqrt(noise.variance_v(np.maximum(at / tau, 0.0)))
        with np.errstate(divide="ignore", invalid="ignore"):
            left = 1.0 - (sigma / np.maximum(steepness * tau, 1e-9))[..., None] * ndtri(points[:, 0])
            shift = np.where(left > 0, -tau * np.log(left), np.inf)
    shift = shift + noise.rest_s * ndtri(points[:, 1])
    if noise.resolution_s is not None:
        shift = shift + noise.resolution_s.value * (points[:, 2] - 0.5)
    missing = card.missing_probability.value if temporal else 0.0
    ranked = np.sort(np.where(fires[..., None], middle[..., None], np.inf) + shift, axis=-1)
    bounds = []
    for probability in (0.5 - level / 2, 0.5 + level / 2):
        inside = probability / (1.0 - missing) if missing < 1 else np.inf
        index = int(np.floor(inside * DRAWS))
        value = ranked[..., index] if index < DRAWS else np.full(middle.shape, np.inf)
        bounds.append(np.where(value <= np.asarray(window), value, np.inf))
    return bounds[0], bounds[1]


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
    charge, rheobase, refractory = card.curve.values()
    at = reference_current(card.valid_current_a.low, card.valid_current_a.high, rheobase)
    charging_s = float(interval(at, charge_per_spike=charge, rheobase=rheobase))
    if not np.isfinite(charging_s):
        raise InputError(
            f"the card's rheobase {rheobase:g} A is not below its currents (up to {at:g} A): it never fires"
        )
    spread_s = card.isi_jitter.value * (charging_s + refractory)
    diffusion = membrane_diffusion(spread_s, at, charge_per_spike=charge, rheobase=rheobase)
    return CardNoise(spread_s, charging_s, diffusion)


def card_interval_variation(card: RateCard, current_a: Array) -> Array:
    """Coefficient of variation of the interval that the card predicts at ``current_a`` (n,), NaN at and below the rheobase.

    Raises InputError as :func:`card_noise` does.
    """
    q, rheobase, _ = card.curve.values()
    fires = current_a > rheobase
    density = 2 * (card_noise(card).diffusion * q) ** 2
    variance = interval_variance(current_a[fires], density=density, charge_per_spike=q, rheobase=rheobase)
    variation = np.full(current_a.shape, np.nan)
    variation[fires] = np.sqrt(variance) / interval(current_a[fires], **card.curve)
    return variation
