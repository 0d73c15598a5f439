"""The studies as lists of passes: quantization (table 4), weight noise (figure 2), jitter, and the chips of a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neuronsim.artifacts.robustness_study import TEMPORAL_ONLY
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale

from .passes import accuracy, input_jitter, output_jitter, quantization_snr_db, weight_noise
from .subjects import Subject, Workbench
from .tasks import Task

BITS = (32, 16, 8, 6, 4, 3, 2)
SNR_DB = (10.0, 40.0)
INPUT_JITTER = (0.01, 0.64)
OUTPUT_JITTER_TAU = (0.002, 0.128)
_FEW = 5
_QUANTIZED = 4  # resolution at which a full-precision network meets weight noise, for comparison
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How far each study goes."""

    card: TTFSCard | None
    chips: int
    draws: int
    points: int
    seed: int


def quantization(found: Sequence[Subject], bench: Workbench, _: Settings) -> list[Task]:
    """Full precision and every width after training, per neuron and per layer; networks trained at a width: that width.

    A run that kept no full-precision checkpoint is swept from the weights behind its deployed ones.
    """
    tasks = []
    for run in dict.fromkeys(subject.run for subject in found):
        stages = [subject for subject in found if subject.run == run]
        full = [subject for subject in stages if subject.bits is None]
        base = full[-1] if full else stages[-1]
        tasks.append(_quantized(base, bench, "full precision", None, base.experiment.full_scale))
        scopes: tuple[FullScale, ...] = ("neuron", "layer")
        for scope in scopes:
            series = f"after training, per {scope}"
            tasks += [_quantized(base, bench, series, bits, scope, level=bits) for bits in BITS]
        for subject in stages:
            if subject.bits is not None:
                scope, level = subject.experiment.full_scale, subject.bits
                tasks.append(_quantized(subject, bench, "trained at this width", subject.bits, scope, level=level))
    return tasks


def _quantized(
    subject: Subject, bench: Workbench, series: str, bits: int | None, scope: FullScale, *, level: float | None = None
) -> Task:
    def compute() -> dict[str, Any]:
        network = bench.network(subject)
        network.bits, network.scope = bits, scope
        snr = quantization_snr_db(network)
        return {**accuracy(network, bench.batches(subject)), "snr_db": snr if math.isfinite(snr) else None}

    key = ["quantized", bits, scope]
    return Task(
        subject=subject, series=series, level=level, bits=bits, scope=scope, draw=None, key=key, compute=compute
    )


def snr(found: Sequence[Subject], bench: Workbench, settings: Settings) -> list[Task]:
    """Weight noise on full-precision networks, on the same quantized after training, and on those trained at a width."""
    tasks = []
    trained = {(subject.run, subject.bits) for subject in found}
    for subject in found:
        widths: list[int | None] = [subject.bits]
        if subject.bits is None and (subject.run, _QUANTIZED) not in trained:
            widths.append(_QUANTIZED)
        if subject.bits is not None and (subject.run, None) not in trained and subject.final:
            widths.insert(0, None)
        scope = subject.experiment.full_scale
        for bits in widths:
            name = "full precision" if bits is None else f"{bits} bit"
            tasks.append(_quantized(subject, bench, f"{name}, no noise", bits, scope))
            for level in np.linspace(*SNR_DB, settings.points):
                for draw in range(settings.draws):
                    tasks.append(_noisy(subject, bench, name, float(level), bits, settings.seed, draw))
    return tasks


def _noisy(
    subject: Subject, bench: Workbench, series: str, level: float, bits: int | None, seed: int, draw: int
) -> Task:
    def compute() -> dict[str, Any]:
        network = bench.network(subject)
        network.bits = bits
        with weight_noise(network, level, seed, draw):
            return accuracy(network, bench.batches(subject))

    scope = subject.experiment.full_scale
    key = ["weight noise", level, bits, scope, seed, draw]
    return Task(
        subject=subject, series=series, level=level, bits=bits, scope=scope, draw=draw, key=key, compute=compute
    )


def jitter(found: Sequence[Subject], bench: Workbench, settings: Settings) -> list[Task]:
    """Jitter of the input spikes, relative, and of every neuron's output spike, in tau, of the deployed networks."""
    tasks = []
    for subject in (subject for subject in found if subject.final):
        tasks.append(_quantized(subject, bench, "no jitter", subject.bits, subject.experiment.full_scale))
        kinds: tuple[tuple[Literal["inputs", "outputs"], tuple[float, float]], ...] = (
            ("inputs", INPUT_JITTER),
            ("outputs", OUTPUT_JITTER_TAU),
        )
        for place, (low, high) in kinds:
            for level in np.geomspace(low, high, settings.points):
                for draw in range(settings.draws):
                    rounded = float(f"{level:.4g}")
                    tasks.append(_jittered(subject, bench, place, rounded, settings.seed, draw))
    return tasks


def _jittered(
    subject: Subject, bench: Workbench, place: Literal["inputs", "outputs"], level: float, seed: int, draw: int
) -> Task:
    def compute() -> dict[str, Any]:
        network, batches = bench.network(subject), bench.batches(subject)
        if place == "inputs":
            return accuracy(network, batches, inputs=input_jitter(level, seed, draw))
        with output_jitter(network, level, seed, draw):
            return accuracy(network, batches)

    scope = subject.experiment.full_scale
    key = ["jitter", place, level, subject.bits, scope, seed, draw]
    return Task(
        subject=subject, series=place, level=level, bits=subject.bits, scope=scope, draw=draw, key=key, compute=compute
    )


def card(found: Sequence[Subject], bench: Workbench, settings: Settings) -> list[Task]:
    """The deployed networks on exact neurons and on chips of the card; causes apart on at most 5 chips."""
    if settings.card is None:
        return []
    tasks = []
    for subject in (subject for subject in found if subject.final):
        scope = subject.experiment.full_scale
        tasks.append(_quantized(subject, bench, "exact neurons", subject.bits, scope))
        for name, frozen, temporal in CARD_CONDITIONS:
            draws = [None] if not (frozen or temporal) else range(settings.chips if name == "card" else _FEW)
            for draw in draws:
                if draw is None or draw < settings.chips:
                    tasks.append(chip(subject, bench, settings, name, frozen, temporal, draw))
    return tasks


def chip(
    subject: Subject, bench: Workbench, settings: Settings, name: str, frozen: bool, temporal: bool, draw: int | None
) -> Task:
    """One chip of the card, or (``draw`` None) the card without noise."""
    model = settings.card
    if model is None:
        raise InputError("a chip needs a card: give one with --card")

    def compute() -> dict[str, Any]:
        trials = bench.trials(subject, model, settings.seed)
        trial = trials.chip(draw or 0, frozen, temporal)
        return {**vars(trial), "n": sum(len(labels) for _, labels in trials.batches)}

    scope = subject.experiment.full_scale
    key = ["chip", model.content_digest(), model.edited, subject.bits, scope, frozen, temporal, settings.seed, draw]
    return Task(
        subject=subject, series=name, level=None, bits=subject.bits, scope=scope, draw=draw, key=key, compute=compute
    )
