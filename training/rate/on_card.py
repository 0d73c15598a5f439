"""A spiking network on the neurons of a rate card: what the circuit does to it, frozen and temporal apart.

A step lasts ``step_s`` seconds, and an input of theta in one step is the charge Q that the card's neuron needs for a spike; one
spike per step is then the current Q / step_s. From the card's equation (:mod:`neuronsim.neuron.firing_rate`) follow

    decay      = exp(-step_s I_rh / Q)                  leak, tau_m = Q / I_rh
    refractory = t_ref / step_s                         in whole steps: rates saturate at 1 / (1 + refractory) per step
    theta_j    = theta (1 + threshold_mismatch N(0,1))  frozen, one draw per neuron and chip: gain and threshold error
    membrane   : rms per step sqrt(S step_s / 2) / Q, in thresholds                temporal, ``jitter`` "membrane"
    interval   : every interval's charge more or less by the same fraction N(0,1)  temporal, ``jitter`` "interval"

The card's isi_jitter is the spread of the interval at its reference current; S is the white current noise that gives it there
(:mod:`neuronsim.neuron.interval_noise`), and with "membrane" the spread at every other current follows as in the
circuit. "interval"
gives every interval the relative spread of the reference current, whatever the input.
"""

import math
from dataclasses import dataclass

import numpy as np

from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.prediction import card_noise
from neuronsim.errors import InputError

from .engine import Inference
from .graph import Layer, RateNetwork
from .noise import Jitter

_LEAST_THRESHOLD = 0.1  # of the nominal one: a draw of mismatch far out must not leave a neuron without threshold
_CHIP = 41
_MOST_LOSS = 0.25  # of t_ref, that whole steps may round away
_UNSEEN = 0.05  # of a step: a shorter refractory time is left out


@dataclass(frozen=True, kw_only=True)
class CircuitNeuron:
    """A card's neuron in steps of ``step_s``."""

    step_s: float
    decay: float
    refractory: int
    interval_jitter: float
    membrane_noise: float
    mismatch: float


def circuit_neuron(card: RateCard, *, step_s: float | None = None, jitter: Jitter = "membrane") -> CircuitNeuron:
    """The card's neuron in steps.

    ``step_s``: default the shortest that keeps one spike per step within the card's current range and fits the refractory time,
    which is whole steps or less than a twentieth of one. Raises InputError for a step outside the card's range of
    currents, or one that whole steps of refractory time do not fit.
    """
    charge, rheobase, t_ref = card.charge_per_spike_c.value, card.rheobase_a.value, card.refractory_s.value
    shortest = charge / card.valid_current_a.high
    if step_s is None:
        pieces = math.floor(t_ref / shortest)
        step_s = t_ref / pieces if pieces else max(shortest, t_ref / _UNSEEN)
    if not (math.isfinite(step_s) and step_s > 0):
        raise InputError(f"step_s = {step_s} is out of range: seconds, positive")
    current = charge / step_s
    if not card.valid_current_a.low <= current <= card.valid_current_a.high * (1 + 1e-9):
        low, high = charge / card.valid_current_a.high, charge / card.valid_current_a.low
        raise InputError(
            f"step_s = {step_s:g}: one spike per step is {current:g} A, outside the card's range of currents; "
            f"choose a step in [{low:g}, {high:g}] s"
        )
    refractory = round(t_ref / step_s)
    if abs(refractory * step_s - t_ref) > max(_MOST_LOSS * t_ref, _UNSEEN * step_s * (1 + 1e-9)):
        raise InputError(
            f"step_s = {step_s:g} s does not fit the refractory time {t_ref:g} s of the card: choose t_ref divided by a whole "
            "number, or a step more than twenty times as long"
        )
    noise = card_noise(card)
    return CircuitNeuron(
        step_s=step_s,
        decay=math.exp(-step_s * rheobase / charge),
        refractory=refractory,
        interval_jitter=min(noise.spread_s / noise.charging_s, 1.0) if jitter == "interval" else 0.0,
        membrane_noise=noise.diffusion * math.sqrt(step_s) if jitter == "membrane" else 0.0,
        mismatch=card.threshold_mismatch.value,
    )


def on_card(
    network: RateNetwork,
    card: RateCard,
    *,
    chip: int | None = 0,
    temporal: bool = True,
    seed: int = 0,
    step_s: float | None = None,
    jitter: Jitter = "membrane",
) -> RateNetwork:
    """``network`` with the card's neurons in every spiking layer; their reset and precharge stay as they are.

    A readout, which is no neuron but a sum whose potential is read, stays ideal.

    ``chip``: number of the frozen draw of threshold mismatch, None: no mismatch. ``temporal`` False: no jitter. Raises InputError
    as :func:`circuit_neuron` does.
    """
    model = circuit_neuron(card, step_s=step_s, jitter=jitter)
    changes = {
        "decay": model.decay,
        "refractory": model.refractory,
        "threshold_jitter": model.interval_jitter if temporal else 0.0,
        "membrane_noise": model.membrane_noise if temporal else 0.0,
    }
    layers = []
    for number, layer in enumerate(network.layers):
        if not layer.spiking or layer.readout:
            layers.append(layer)
            continue
        theta = network.thresholds[number]
        if chip is not None:
            draw = np.random.default_rng((seed, _CHIP, chip, number)).standard_normal(theta.size)
            theta = theta * np.maximum(1 + model.mismatch * draw, _LEAST_THRESHOLD)
        layers.append(
            Layer(
                links=layer.links,
                threshold=theta.reshape(network.shapes[number]),
                bias=network.biases[number].reshape(network.shapes[number]),
                neuron=layer.neuron.model_copy(update=changes),
                name=layer.name,
            )
        )
    return RateNetwork(network.input_shape, layers, delay=1 if network.delay else 0)


def energy_per_inference(
    card: RateCard, network: RateNetwork, inference: Inference, steps: int, *, step_s: float | None = None
) -> tuple[float, float] | None:
    """(energy of the spikes, of the static power) in joules of the neurons, mean over the images; None: the card has no energy.

    Static power is drawn by every neuron but a readout's for the whole run of ``steps``.
    """
    if card.energy is None:
        return None
    spiking = [number for number, layer in enumerate(network.layers) if layer.spiking and not layer.readout]
    neurons = sum(math.prod(network.shapes[number]) for number in spiking)
    spikes = float(inference.spikes[:, [1 + number for number in spiking]].sum(axis=1).mean())
    seconds = steps * circuit_neuron(card, step_s=step_s).step_s
    return spikes * card.energy.per_spike_j.value, neurons * card.energy.static_w.value * seconds
