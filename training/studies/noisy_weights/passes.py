"""One inference pass of a cell, and the repeated inferences behind the signal-to-noise ratio."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from neuronsim.artifacts.noisy_weights_study import ANN_PAPER, ANN_SAMPLE, ANN_UNROLLED, CARD_CONDITIONS, SNN_SHARED
from neuronsim.training.rate.conversion import convert
from neuronsim.training.rate.encoding import encode
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.graph import RateNetwork
from neuronsim.training.rate.noise import WeightNoise
from neuronsim.training.rate.on_card import energy_per_inference, on_card
from neuronsim.training.rate.reference import NoisyNetwork, simulate
from neuronsim.training.seeds import torch_generator

from .cells import Cell, Conditions, Subject
from .noisy_ann import chip_outputs, noisy_outputs

SnrNoise = Literal["temporal", "frozen"]
SNR_LEVEL = 1.0
_SNR_IMAGES = 4
_ANN, _SHARED = 33, 35
_SHARED_BATCH = 50
_ANN_NOISE: dict[str, dict[str, Any]] = {
    # What a program that adds noise to its weight matrices and runs the test set does: one draw, kernels as they are stored.
    ANN_PAPER: {"kind": "inference", "scope": "batch", "kernels": "shared"},
    # The same draw for all images, but every position of a convolution with synapses of its own, as on the spiking side.
    ANN_UNROLLED: {"kind": "inference", "scope": "batch", "kernels": "unrolled"},
    # What a chip with noisy synapses does, image after image.
    ANN_SAMPLE: {"kind": "inference", "scope": "sample"},
}
Advanced = Callable[[int], object]


def compute(cell: Cell, subject: Subject, conditions: Conditions, advanced: Advanced | None = None) -> dict[str, Any]:
    """The result of one cell: right images ("right": after each step, for an ANN one number), spikes and events per image."""
    plan = conditions.plan
    subject = subject.first(cell.images(len(subject.labels), plan))
    neuron = conditions.neuron
    network = convert(subject.network, (28, 28, 1), subject.largest, neuron=neuron, first_scale=cell.scale)
    if cell.side == "ann":
        return _analog(network, cell, subject, conditions)
    shared = plan.kernels == "shared" and cell.architecture == "cnn"
    if cell.noise == SNN_SHARED or (cell.noise == "temporal" and shared):
        return _shared_kernel(network, cell, subject, conditions, advanced)
    return _spiking(network, cell, subject, conditions, advanced)


def _frozen(cell: Cell, conditions: Conditions) -> WeightNoise:
    plan = conditions.plan
    return WeightNoise(level=cell.level, kind="frozen", law=plan.law, kernels=plan.kernels)


def _analog(network: RateNetwork, cell: Cell, subject: Subject, conditions: Conditions) -> dict[str, Any]:
    plan, seed = conditions.plan, conditions.draws(cell.network)
    if cell.noise == "frozen":
        engine = EventEngine(network, _frozen(cell, conditions), seed=seed, chip=cell.trial)
        outputs = torch.from_numpy(chip_outputs(engine, subject.pixels))
    else:
        noise = WeightNoise(**{"kernels": plan.kernels, **_ANN_NOISE[cell.noise]}, level=cell.level, law=plan.law)
        outputs = noisy_outputs(subject.network, subject.images, noise, torch_generator(seed, _ANN, cell.trial))
    return {"right": [int((outputs.argmax(1) == subject.labels).sum())], "n": len(subject.labels)}


def _spiking(
    network: RateNetwork, cell: Cell, subject: Subject, conditions: Conditions, advanced: Advanced | None
) -> dict[str, Any]:
    plan, seed = conditions.plan, conditions.draws(cell.network)
    frozen_weights = cell.noise == "frozen"
    noise = _frozen(cell, conditions) if frozen_weights else WeightNoise(level=cell.level, law=plan.law)
    card = conditions.card if cell.noise.startswith("card") else None
    if card is not None:
        frozen, temporal = next(condition[1:] for condition in CARD_CONDITIONS if condition[0] == cell.noise)
        chip = cell.trial if frozen else None
        network = on_card(network, card, chip=chip, temporal=temporal, seed=seed, jitter=plan.jitter)
    engine = EventEngine(network, noise, seed=seed, chip=cell.trial)
    result = engine.run(subject.pixels, plan.steps, encoding=plan.encoding, trial=cell.trial, advanced=advanced)
    return {
        "energy_j": None if card is None else energy_per_inference(card, network, result, plan.steps),
        "right": (result.prediction == subject.labels.numpy()[:, None]).sum(axis=0).tolist(),
        "n": len(subject.labels),
        "spikes": float(result.spikes[:, 1:].sum(1).mean()),
        "events": float(result.events.mean()),
    }


def _shared_kernel(
    network: RateNetwork, cell: Cell, subject: Subject, conditions: Conditions, advanced: Advanced | None
) -> dict[str, Any]:
    """A kernel that all positions share is one draw in every step: weight by weight, in torch."""
    plan = conditions.plan
    generator = torch_generator(conditions.draws(cell.network), _SHARED, cell.trial)
    model = NoisyNetwork(network, WeightNoise(level=cell.level, law=plan.law, kernels="shared"), generator)
    right, spikes = torch.zeros(plan.steps, dtype=torch.int64), 0.0
    images = subject.images.permute(0, 2, 3, 1)
    for part, labels in zip(images.split(_SHARED_BATCH), subject.labels.split(_SHARED_BATCH), strict=True):
        result = simulate(model, encode(part, plan.steps, plan.encoding, generator))
        right += (result.prediction == labels).sum(dim=1)
        spikes += float(result.spikes.sum())
        if advanced is not None:
            advanced(len(part))
    return {"right": right.tolist(), "n": len(images), "spikes": spikes / len(images)}


def snr_counts(subject: Subject, kind: SnrNoise, steps: int, conditions: Conditions) -> dict[str, list[list[int]]]:
    """Spike counts of the winning output, one list of ``plan.repeats`` for each of the first images.

    The inputs are regular trains, the same every time, so that only the weights differ from repeat to repeat (frozen: from chip
    to chip). The winner is that of the mean over the repeats.
    """
    plan, seed = conditions.plan, conditions.seed
    network = convert(subject.network, (28, 28, 1), subject.largest, neuron=conditions.neuron)
    images = subject.pixels[:_SNR_IMAGES]
    kernels = plan.kernels if kind == "frozen" else "unrolled"
    noise = WeightNoise(level=SNR_LEVEL, kind=kind, law=plan.law, kernels=kernels)
    if kind == "temporal":
        engine = EventEngine(network, noise, seed=seed)
        counts = engine.run(np.repeat(images, plan.repeats, axis=0), steps, encoding="deterministic").counts
        grouped = counts.reshape(len(images), plan.repeats, -1)
    else:
        chips = (EventEngine(network, noise, seed=seed, chip=chip) for chip in range(plan.repeats))
        grouped = np.stack([chip.run(images, steps, encoding="deterministic").counts for chip in chips], axis=1)
    winner = grouped.mean(axis=1).argmax(axis=1)
    return {"counts": [grouped[k, :, winner[k]].tolist() for k in range(len(images))]}
