"""The studies as lists of passes: quantization (table 4), weight noise (figure 2), jitter, and the chips of a card."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from neuronsim.artifacts.robustness_study import TEMPORAL_ONLY
from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale

from .passes import accuracy, input_jitter, output_jitter, quantization_snr_db, weight_noise
from .subjects import Subject, Workbench
from .tasks import Task

BITS = (32, 16, 8, 6, 4, 3, 2)
_SCOPES: tuple[FullScale, ...] = ("neuron", "layer")
SNR_DB = (10.0, 40.0)
_FEW = 5
_QUANTIZED = 4  # resolution at which a full-precision network meets weight noise, for comparison
Jittered = Literal["inputs", "outputs"]
JITTER: dict[Jittered, tuple[float, float]] = {"inputs": (0.01, 0.64), "outputs": (0.002, 0.128)}
# (name, frozen noise, temporal noise)
CARD_CONDITIONS = (
    ("card", True, True),
    ("frozen only", True, False),
    (TEMPORAL_ONLY, False, True),
    ("no noise", False, False),
)
DEFINITIONS = {
    "quantization": "level: bits of the conductance bank; full scale: largest |w| of each neuron or of the layer (after "
    "training), that of the experiment (trained at a width)",
    "snr": "level: weight SNR in dB, 10 log10(mean(w^2) / variance of the noise), Gaussian, frozen per chip, the same in every "
    "layer, added to the weights as deployed; paper 004 gives no definition beyond 6.02 dB per bit",
    "jitter": "level: input spikes t (1 + level N(0,1)); outputs of all neurons t + level N(0,1), in tau; drawn per inference",
    "card": "no level; every condition has the deterministic part of the card",
    "energy": "no level; means per inference",
}


def quantization(subjects: Sequence[Subject], bench: Workbench) -> list[Task]:
    """Full precision and every width after training, per neuron and per layer; networks trained at a width: that width.

    A run that kept no full-precision checkpoint is swept from the weights behind its deployed ones.
    """
    tasks = []
    for run in dict.fromkeys(subject.run for subject in subjects):
        stages = [subject for subject in subjects if subject.run == run]
        base = ([subject for subject in stages if subject.bits is None] or stages)[-1]
        tasks.append(_quantized(base, bench, "full precision", None))
        for scope in _SCOPES:
            series = f"after training, per {scope}"
            tasks += [_quantized(base, bench, series, bits, scope, level=bits) for bits in BITS]
        for subject in stages:
            if subject.bits is not None:
                series = "trained at this width"
                tasks.append(_quantized(subject, bench, series, subject.bits, level=subject.bits))
    return tasks


def _quantized(
    subject: Subject, bench: Workbench, series: str, bits: int | None, scope: FullScale | None = None,
    *, level: float | None = None,
) -> Task:  # fmt: skip
    scope = scope or subject.full_scale

    def compute() -> dict[str, Any]:
        network = bench.network(subject)
        network.bits, network.scope = bits, scope
        snr = quantization_snr_db(network)
        return {**accuracy(network, bench.batches(subject)), "snr_db": snr if math.isfinite(snr) else None}

    key = ["quantized", bits, scope]
    return Task(subject=subject, series=series, level=level, bits=bits, scope=scope, key=key, compute=compute)


def snr(subjects: Sequence[Subject], bench: Workbench) -> list[Task]:
    """Weight noise on full-precision networks, on the same quantized after training, and on those trained at a width."""
    tasks = []
    trained = {(subject.run, subject.bits) for subject in subjects}
    for subject in subjects:
        widths: list[int | None] = [subject.bits]
        if subject.bits is None and (subject.run, _QUANTIZED) not in trained:
            widths.append(_QUANTIZED)
        if subject.bits is not None and (subject.run, None) not in trained and subject.final:
            widths.insert(0, None)
        for bits in widths:
            name = "full precision" if bits is None else f"{bits} bit"
            tasks.append(_quantized(subject, bench, f"{name}, no noise", bits))
            for level in np.linspace(*SNR_DB, bench.plan.points):
                tasks += [_noisy(subject, bench, name, float(level), bits, draw) for draw in range(bench.plan.draws)]
    return tasks


def _noisy(subject: Subject, bench: Workbench, series: str, level: float, bits: int | None, draw: int) -> Task:
    def compute() -> dict[str, Any]:
        network = bench.network(subject)
        network.bits = bits
        with weight_noise(network, level, bench.seed, draw):
            return accuracy(network, bench.batches(subject))

    key = ["weight noise", level, bits, subject.full_scale, bench.seed, draw]
    return Task(subject=subject, series=series, level=level, bits=bits, draw=draw, key=key, compute=compute)


def jitter(subjects: Sequence[Subject], bench: Workbench) -> list[Task]:
    """Jitter of the input spikes, relative, and of every neuron's output spike, in tau, of the deployed networks."""
    tasks = []
    for subject in deployed(subjects):
        tasks.append(_quantized(subject, bench, "no jitter", subject.bits))
        for jittered, (low, high) in JITTER.items():
            for level in np.geomspace(low, high, bench.plan.points):
                rounded = float(f"{level:.4g}")
                tasks += [_jittered(subject, bench, jittered, rounded, draw) for draw in range(bench.plan.draws)]
    return tasks


def _jittered(subject: Subject, bench: Workbench, jittered: Jittered, level: float, draw: int) -> Task:
    def compute() -> dict[str, Any]:
        network, batches = bench.network(subject), bench.batches(subject)
        if jittered == "inputs":
            return accuracy(network, batches, inputs=input_jitter(level, bench.seed, draw))
        with output_jitter(network, level, bench.seed, draw):
            return accuracy(network, batches)

    key = ["jitter", jittered, level, subject.bits, subject.full_scale, bench.seed, draw]
    return Task(subject=subject, series=jittered, level=level, bits=subject.bits, draw=draw, key=key, compute=compute)


def card(subjects: Sequence[Subject], bench: Workbench) -> list[Task]:
    """The deployed networks on exact neurons and on chips of the card; causes apart on at most 5 chips."""
    tasks = []
    for subject in deployed(subjects):
        tasks.append(_quantized(subject, bench, "exact neurons", subject.bits))
        for name, frozen, temporal in CARD_CONDITIONS:
            chips = bench.plan.chips if name == "card" else min(bench.plan.chips, _FEW)
            draws = range(chips) if frozen or temporal else [None]
            tasks += [chip(subject, bench, name, frozen, temporal, draw) for draw in draws]
    return tasks


def chip(subject: Subject, bench: Workbench, name: str, frozen: bool, temporal: bool, draw: int | None) -> Task:
    """One chip of the card, or (``draw`` None) the card without noise."""
    model = bench.card
    if model is None:
        raise InputError("a chip needs a card: give one with --card")

    def compute() -> dict[str, Any]:
        trials = bench.trials(subject)
        trial = trials.chip(draw or 0, frozen, temporal)
        return {**vars(trial), "n": sum(len(labels) for _, labels in trials.batches)}

    key = ["chip", model.content_digest(), model.edited, subject.bits, subject.full_scale]
    key += [frozen, temporal, bench.seed, draw]
    return Task(subject=subject, series=name, bits=subject.bits, draw=draw, key=key, compute=compute)


def deployed(subjects: Sequence[Subject]) -> list[Subject]:
    """The network that each run deploys."""
    return [subject for subject in subjects if subject.final]
