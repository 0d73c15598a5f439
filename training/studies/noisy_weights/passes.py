"""Paper 000 as cells, one inference pass each, stored as soon as it is done: ANN and SNN, noise levels, thresholds, trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuronsim.artifacts.noisy_weights_study import (
    ANN_PAPER,
    ANN_SAMPLE,
    ANN_UNROLLED,
    CARD_CONDITIONS,
    SNN_SHARED,
    Architecture,
)
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.training.rate.conversion import PAPER_NEURON, convert
from neuronsim.training.rate.encoding import Encoding, encode
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.graph import Neuron, RateNetwork
from neuronsim.training.rate.noise import Kernels, Law, WeightNoise
from neuronsim.training.rate.noisy_reference import NoisyNetwork
from neuronsim.training.rate.on_card import Jitter, energy_per_inference, on_card
from neuronsim.training.rate.reference import simulate
from neuronsim.training.seeds import torch_generator

from .chip_ann import chip_outputs
from .noisy_ann import noisy_outputs

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SCALES = (0.2, 0.5, 1.0, 2.0)
_ANN, _NETWORK, _SHARED, _FEW_DRAWS = 33, 34, 35, 5
ANN_DRAWS = 10
SHARED_IMAGES, _SHARED_BATCH = 300, 50
_ANN_NOISE: dict[str, dict[str, Any]] = {
    # What a program that adds noise to its weight matrices and runs the test set does: one draw, kernels as they are stored.
    ANN_PAPER: {"kind": "inference", "scope": "batch", "kernels": "shared"},
    # The same draw for all images, but every position of a convolution with synapses of its own, as on the spiking side.
    ANN_UNROLLED: {"kind": "inference", "scope": "batch", "kernels": "unrolled"},
    # What a chip with noisy synapses does, image after image.
    ANN_SAMPLE: {"kind": "inference", "scope": "sample"},
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How every pass is made. Defaults from ``law`` on are the paper's; ``chip_images``: images of a pass with frozen noise."""

    steps: int
    encoding: Encoding
    seed: int
    card: RateCard | None = None
    chip_images: int = 1000
    law: Law = "proportional"
    kernels: Kernels = "unrolled"
    reset: Literal["rest", "subtract"] = "rest"
    precharge: float = 0.0
    jitter: Jitter = "membrane"

    @property
    def neuron(self) -> Neuron:
        """The paper's neuron with this reset and precharge."""
        return PAPER_NEURON.model_copy(update={"reset": self.reset, "precharge": self.precharge})

    @property
    def changed(self) -> list[Any]:
        """What differs from the paper, for the key of a stored pass: none, so that passes of earlier versions are found."""
        paper = Settings(steps=1, encoding="bernoulli", seed=0)
        names = ("law", "kernels", "reset", "precharge")
        return [[name, getattr(self, name)] for name in names if getattr(self, name) != getattr(paper, name)]

    def draws(self, network: int) -> int:
        """Seed of all draws of a network: its own for each, so that no two share their noise; of the first the study's seed."""
        if network == 0:
            return self.seed
        state = np.random.SeedSequence([self.seed, _NETWORK, network]).generate_state(1, np.uint64)
        return int(state[0] >> np.uint64(2))


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One trained network and the images it is asked about."""

    architecture: Architecture
    seed: int
    network: nn.Sequential
    largest: list[float]
    digest: str
    images: Tensor  # (n, 1, 28, 28)
    labels: Tensor
    data_digest: str

    @property
    def pixels(self) -> NDArray[np.float32]:
        """(n, height, width, channels)."""
        return np.ascontiguousarray(self.images.permute(0, 2, 3, 1).numpy())

    def first(self, n: int) -> Subject:
        """The same with at most the first ``n`` images."""
        return self if n >= len(self.labels) else replace(self, images=self.images[:n], labels=self.labels[:n])


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One pass over the images. ``noise``: a name of the result file."""

    architecture: Architecture
    network: int
    side: Literal["ann", "snn"]
    noise: str
    scale: float
    level: float
    trial: int

    @property
    def row(self) -> tuple[Any, ...]:
        """What cells of one row share."""
        return self.architecture, self.side, self.noise, self.scale, self.level


def cells(
    architectures: tuple[Architecture, ...],
    networks: int,
    trials: int,
    levels: tuple[float, ...],
    scales: tuple[float, ...],
    chips: int,
    kernels: Kernels = "unrolled",
) -> list[Cell]:
    """All passes, those first without which the rest says little: every network and level once, then further trials.

    Without noise the ANN gives the same every time, so it passes once; the SNN's input trains are drawn anew. One draw for all
    images decides an ANN's accuracy, and costs next to nothing: ANN_DRAWS of them at least, so that their spread is seen.
    Frozen noise: ``chips`` chips, the same on both sides. A shared kernel under temporal noise has to be drawn weight by weight:
    one trial of few images.
    """
    found = []
    for trial in range(max(trials, ANN_DRAWS, chips)):
        for network in range(networks):
            for architecture in architectures:
                # (side, noise, scale, passes of it, whether it has a pass without noise)
                rows: list[tuple[Literal["ann", "snn"], str, float, int, bool]] = [
                    ("ann", ANN_PAPER, 1.0, max(trials, ANN_DRAWS), True),
                    ("ann", ANN_SAMPLE, 1.0, trials, False),
                    ("ann", "frozen", 1.0, chips, False),
                    *(("snn", "temporal", scale, trials, True) for scale in sorted(scales, key=lambda s: s != 1.0)),
                    ("snn", "frozen", 1.0, chips, False),
                ]
                if 1.0 not in scales:
                    rows.insert(3, ("snn", "temporal", 1.0, trials, True))
                if architecture == "cnn":
                    rows.append(("ann", ANN_UNROLLED, 1.0, max(trials, ANN_DRAWS), False))
                    if kernels == "unrolled":
                        rows.append(("snn", SNN_SHARED, 1.0, 1, False))
                for side, noise, scale, passes, noiseless in rows:
                    for level in levels:
                        if trial >= (1 if side == "ann" and level == 0 else passes) or (level == 0 and not noiseless):
                            continue
                        cell = {"network": network, "side": side, "noise": noise, "scale": scale, "level": level}
                        found.append(Cell(architecture=architecture, trial=trial, **cell))
    return found


def card_cells(architectures: tuple[Architecture, ...], networks: int, chips: int) -> list[Cell]:
    """Passes on the neurons of a card: ``chips`` chips where mismatch acts, else at most 5 draws of the temporal noise."""
    found = []
    for name, frozen, temporal in CARD_CONDITIONS:
        trials = chips if frozen else min(chips, _FEW_DRAWS) if temporal else 1
        for architecture in architectures:
            for network in range(networks):
                for trial in range(trials):
                    found.append(
                        Cell(
                            architecture=architecture,
                            network=network,
                            side="snn",
                            noise=name,
                            scale=1.0,
                            level=0.0,
                            trial=trial,
                        )
                    )
    return found


def images_of(cell: Cell, n: int, settings: Settings) -> int:
    """Images of a pass, of ``n`` that there are."""
    return min(n, {"frozen": settings.chip_images, SNN_SHARED: SHARED_IMAGES}.get(cell.noise, n))


def compute(
    cell: Cell, subject: Subject, settings: Settings, advanced: Callable[[int], object] | None = None
) -> dict[str, Any]:
    """The result of one cell: right images ("right": after each step, for an ANN one number), spikes and events per image."""
    subject = subject.first(images_of(cell, len(subject.labels), settings))
    seed, card, steps, kernels = settings.draws(cell.network), settings.card, settings.steps, settings.kernels
    network = convert(subject.network, (28, 28, 1), subject.largest, neuron=settings.neuron, first_scale=cell.scale)
    if cell.side == "ann":
        if cell.noise == "frozen":
            noise = WeightNoise(level=cell.level, kind="frozen", law=settings.law, kernels=kernels)
            outputs = torch.from_numpy(
                chip_outputs(EventEngine(network, noise, seed=seed, chip=cell.trial), subject.pixels)
            )
        else:
            noise = WeightNoise(**{"kernels": kernels, **_ANN_NOISE[cell.noise]}, level=cell.level, law=settings.law)
            generator = torch_generator(seed, _ANN, cell.trial)
            outputs = noisy_outputs(subject.network, subject.images, noise, generator)
        return {"right": [int((outputs.argmax(1) == subject.labels).sum())], "n": len(subject.labels)}
    if cell.noise == SNN_SHARED or (cell.noise == "temporal" and kernels == "shared" and cell.architecture == "cnn"):
        noise = WeightNoise(level=cell.level, law=settings.law, kernels="shared")
        return _shared_kernel(network, noise, subject, settings, torch_generator(seed, _SHARED, cell.trial), advanced)
    if cell.noise == "frozen":
        noise = WeightNoise(level=cell.level, kind="frozen", law=settings.law, kernels=kernels)
    else:
        noise = WeightNoise(level=cell.level, law=settings.law)
    condition = next((c for c in CARD_CONDITIONS if c[0] == cell.noise), None)
    if condition is not None and card is not None:
        _, frozen, temporal = condition
        chip = cell.trial if frozen else None
        network = on_card(network, card, chip=chip, temporal=temporal, seed=seed, jitter=settings.jitter)
    engine = EventEngine(network, noise, seed=seed, chip=cell.trial)
    result = engine.run(subject.pixels, steps, encoding=settings.encoding, trial=cell.trial, advanced=advanced)
    right = (result.prediction == subject.labels.numpy()[:, None]).sum(axis=0)
    energy = energy_per_inference(card, network, result, steps) if condition is not None and card is not None else None
    return {
        "energy_j": energy,
        "right": right.tolist(),
        "n": len(subject.labels),
        "spikes": float(result.spikes[:, 1:].sum(1).mean()),
        "events": float(result.events.mean()),
    }


def _shared_kernel(
    network: RateNetwork,
    noise: WeightNoise,
    subject: Subject,
    settings: Settings,
    generator: torch.Generator,
    advanced: Callable[[int], object] | None,
) -> dict[str, Any]:
    """A kernel that all positions share is one draw in every step: weight by weight, in torch."""
    model = NoisyNetwork(network, noise, generator)
    right, spikes = torch.zeros(settings.steps, dtype=torch.int64), 0.0
    images = subject.images.permute(0, 2, 3, 1)
    for first in range(0, len(images), _SHARED_BATCH):
        part = images[first : first + _SHARED_BATCH]
        found = simulate(model, encode(part, settings.steps, settings.encoding, generator))
        right += (found.prediction == subject.labels[first : first + _SHARED_BATCH]).sum(dim=1)
        spikes += float(found.spikes.sum())
        if advanced is not None:
            advanced(len(part))
    return {"right": right.tolist(), "n": len(images), "spikes": spikes / len(images)}


def key_of(cell: Cell, subject: Subject, settings: Settings) -> list[Any]:
    """Everything that decides the result of a cell."""
    seed = settings.draws(cell.network)
    key: list[Any] = ["noisy weights", cell.side, cell.noise, cell.level, cell.trial, seed, subject.digest]
    key += [subject.data_digest, images_of(cell, len(subject.labels), settings)]
    if cell.side == "ann":
        # Frozen draws were the ANN's own before they were the SNN's chip.
        return [*key, *(["chip of the SNN"] if cell.noise == "frozen" else []), *settings.changed]
    key += [cell.scale, settings.steps, settings.encoding]
    if settings.card is not None and cell.noise.startswith("card"):
        key += [settings.card.content_digest(), settings.jitter]
    return key + settings.changed


SNR_LEVEL, SNR_IMAGES = 1.0, 4


def snr_counts(
    subject: Subject, kind: Literal["temporal", "frozen"], steps: int, repeats: int, settings: Settings
) -> dict[str, list[list[int]]]:
    """Spike counts of the winning output, one list of ``repeats`` for each of the first images.

    The inputs are regular trains, the same every time, so that only the weights differ from repeat to repeat (frozen: from chip
    to chip). The winner is that of the mean over the repeats.
    """
    network, seed = convert(subject.network, (28, 28, 1), subject.largest, neuron=settings.neuron), settings.seed
    images = subject.pixels[:SNR_IMAGES]
    kernels = settings.kernels if kind == "frozen" else "unrolled"
    noise = WeightNoise(level=SNR_LEVEL, kind=kind, law=settings.law, kernels=kernels)
    if kind == "temporal":
        engine = EventEngine(network, noise, seed=seed)
        counts = engine.run(np.repeat(images, repeats, axis=0), steps, encoding="deterministic").counts
        grouped = counts.reshape(len(images), repeats, -1)
    else:
        chips = [
            EventEngine(network, noise, seed=seed, chip=chip).run(images, steps, encoding="deterministic").counts
            for chip in range(repeats)
        ]
        grouped = np.stack(chips, axis=1)
    winner = grouped.mean(axis=1).argmax(axis=1)
    return {"counts": [grouped[k, :, winner[k]].tolist() for k in range(len(images))]}
