"""Paper 000 as cells, one inference pass each, stored as soon as it is done: ANN and SNN, noise levels, thresholds, trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuronsim.card import RateCard
from neuronsim.noisy_weights import ANN_PAPER, ANN_SAMPLE, CARD_CONDITIONS, Architecture

from ..batches import torch_generator
from .conversion import convert
from .encoding import Encoding
from .engine import EventEngine
from .noise import WeightNoise
from .noisy_ann import noisy_outputs
from .on_card import energy_per_inference, on_card

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SCALES = (0.2, 0.5, 1.0, 2.0)
_ANN, _FEW_DRAWS = 33, 5
ANN_DRAWS = 10
_ANN_NOISE: dict[str, dict[str, Any]] = {
    # What a program that adds noise to its weight matrices and runs the test set does.
    ANN_PAPER: {"kind": "inference", "scope": "batch", "kernels": "shared"},
    # What a chip with noisy synapses does, image after image.
    ANN_SAMPLE: {"kind": "inference", "scope": "sample", "kernels": "unrolled"},
    "frozen": {"kind": "frozen", "kernels": "unrolled"},
}


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
) -> list[Cell]:
    """All passes, those first without which the rest says little: every network and level once, then further trials.

    Without noise the ANN gives the same every time, so it passes once; the SNN's input trains are drawn anew. One draw for all
    images decides an ANN's accuracy, and costs next to nothing: ANN_DRAWS of them at least, so that their spread is seen.
    """
    found = []
    for trial in range(max(trials, ANN_DRAWS)):
        for network in range(networks):
            for architecture in architectures:
                sides: list[tuple[Literal["ann", "snn"], str, float]] = [
                    ("ann", ANN_PAPER, 1.0),
                    ("ann", ANN_SAMPLE, 1.0),
                    ("ann", "frozen", 1.0),
                    ("snn", "temporal", 1.0),
                    ("snn", "frozen", 1.0),
                ]
                for scale in scales:
                    if scale != 1.0:
                        sides.append(("snn", "temporal", scale))
                for side, noise, scale in sides:
                    for level in levels:
                        # Without noise there is nothing frozen, and an ANN repeats itself.
                        if level == 0 and ((side == "ann" and trial > 0) or noise in ("frozen", ANN_SAMPLE)):
                            continue
                        if trial >= trials and noise != ANN_PAPER:
                            continue
                        found.append(
                            Cell(
                                architecture=architecture,
                                network=network,
                                side=side,
                                noise=noise,
                                scale=scale,
                                level=level,
                                trial=trial,
                            )
                        )
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


def compute(
    cell: Cell,
    subject: Subject,
    steps: int,
    encoding: Encoding,
    seed: int,
    advanced: Callable[[int], object] | None = None,
    card: RateCard | None = None,
) -> dict[str, Any]:
    """The result of one cell: right images ("right": after each step, for an ANN one number), spikes and events per image."""
    if cell.side == "ann":
        noise = WeightNoise(level=cell.level, **_ANN_NOISE[cell.noise])
        generator = torch_generator(seed, _ANN, cell.trial)
        outputs = noisy_outputs(subject.network, subject.images, noise, generator)
        return {"right": [int((outputs.argmax(1) == subject.labels).sum())], "n": len(subject.labels)}
    noise = WeightNoise(level=cell.level, kind="frozen" if cell.noise == "frozen" else "temporal")
    network = convert(subject.network, (28, 28, 1), subject.largest, first_scale=cell.scale)
    condition = next((c for c in CARD_CONDITIONS if c[0] == cell.noise), None)
    if condition is not None and card is not None:
        _, frozen, temporal = condition
        network = on_card(network, card, chip=cell.trial if frozen else None, temporal=temporal, seed=seed)
    engine = EventEngine(network, noise, seed=seed, chip=cell.trial)
    result = engine.run(subject.pixels, steps, encoding=encoding, trial=cell.trial, advanced=advanced)
    right = (result.prediction == subject.labels.numpy()[:, None]).sum(axis=0)
    energy = energy_per_inference(card, network, result, steps) if condition is not None and card is not None else None
    return {
        "energy_j": energy,
        "right": right.tolist(),
        "n": len(subject.labels),
        "spikes": float(result.spikes[:, 1:].sum(1).mean()),
        "events": float(result.events.mean()),
    }


def key_of(
    cell: Cell, subject: Subject, steps: int, encoding: str, seed: int, card: RateCard | None = None
) -> list[Any]:
    """Everything that decides the result of a cell."""
    key: list[Any] = ["noisy weights", cell.side, cell.noise, cell.level, cell.trial, seed, subject.digest]
    key += [subject.data_digest, len(subject.labels)]
    if cell.side == "ann":
        return key
    key += [cell.scale, steps, encoding]
    return [*key, card.content_digest(), "membrane"] if card is not None and cell.noise.startswith("card") else key


SNR_LEVEL, SNR_IMAGES = 1.0, 4


def snr_counts(
    subject: Subject, kind: Literal["temporal", "frozen"], steps: int, repeats: int, seed: int
) -> dict[str, list[list[int]]]:
    """Spike counts of the winning output, one list of ``repeats`` for each of the first images.

    The inputs are regular trains, the same every time, so that only the weights differ from repeat to repeat (frozen: from chip
    to chip). The winner is that of the mean over the repeats.
    """
    network = convert(subject.network, (28, 28, 1), subject.largest)
    images = subject.pixels[:SNR_IMAGES]
    noise = WeightNoise(level=SNR_LEVEL, kind=kind)
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
