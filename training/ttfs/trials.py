"""One network over all test images: on exact neurons, and on one chip of a card."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError

from ..packed_answers import pack
from .chip import CardRun, Chip, generator_for, run_on_card
from .energy import card_energy, waiting
from .network import TTFSNetwork

_FROZEN, _TEMPORAL = 1, 2


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One pass over the images. Lists are per layer of neurons.

    ``right``: packed answers (:mod:`neuronsim.training.packed_answers`). ``out_of_range``: None where no detector limit is known.
    ``spikes``, ``neurons``, ``energy_j`` (spikes, and static power until the decision): per image. ``decision_tau``,
    ``slowest_tau``: mean and largest time to the decision.
    """

    accuracy: float
    right: str
    silent: float
    sparsity: list[float]
    out_of_range: float | None
    spikes: float
    neurons: float
    decision_tau: float
    slowest_tau: float
    energy_j: float | None


@dataclass
class Trials:
    """Passes of one network over one set of batches."""

    network: TTFSNetwork
    batches: list[tuple[torch.Tensor, torch.Tensor]]
    card: TTFSCard | None
    noise_scale: float
    seed: int
    bits: int | None

    def __post_init__(self) -> None:
        card, scale = self.card, self.noise_scale
        self.noisy = card.scaled_noise(scale) if card is not None and scale != 1.0 else card

    def ideal(self, bits: int | None) -> tuple[Trial, NDArray, NDArray]:
        """Exact neurons of equation 4: the trial, decision times in tau and decided classes."""
        self.network.bits = bits
        runs = []
        for z, labels in self.batches:
            outputs = self.network.layer_outputs(z)
            fired = tuple(int(torch.isfinite(output).sum()) for output in outputs)
            neurons, times = tuple(output.numel() for output in outputs), torch.log(outputs[-1]).numpy()
            runs.append((CardRun(times=times, fired=fired, neurons=neurons, out_of_range=0), labels.numpy()))
        times = np.concatenate([run.times for run, _ in runs])
        return _summary(runs, None), times.min(axis=1), decide_times(times)

    def chip(self, number: int, frozen: bool, temporal: bool) -> Trial:
        """One chip; its frozen and its temporal draw have seeds of their own, the same in every condition."""
        if self.noisy is None:
            raise InputError("a chip needs a card")
        self.network.bits = self.bits
        chip = Chip.draw(self.noisy, self.network, generator_for(self.seed, _FROZEN, number)) if frozen else None
        noise = generator_for(self.seed, _TEMPORAL, number) if temporal else None
        runs = []
        for z, labels in self.batches:
            runs.append((run_on_card(self.network, z, self.noisy, chip=chip, temporal=noise), labels.numpy()))
        return _summary(runs, self.noisy)


def decide_times(times: NDArray) -> NDArray[np.int64]:
    """Class of the first spike of each row of ``times`` (n, classes); -1 where all are silent."""
    return np.where(np.isfinite(times).any(axis=1), times.argmin(axis=1), -1)


def _summary(runs: list[tuple[CardRun, NDArray]], card: TTFSCard | None) -> Trial:
    times = np.concatenate([run.times for run, _ in runs])
    labels = np.concatenate([labels for _, labels in runs])
    fired, neurons = (np.sum([getattr(run, name) for run, _ in runs], axis=0) for name in ("fired", "neurons"))
    right = decide_times(times) == labels
    first = times.min(axis=1)
    decision, slowest = waiting(first)
    spikes, cells = float(fired.sum() / len(labels)), float(neurons.sum() / len(labels))
    limited = card is not None and card.kernel.xor_limit_weight is not None
    energy = None if card is None else card_energy(card, spikes, cells, decision)
    return Trial(
        accuracy=float(right.mean()),
        right=pack(right),
        silent=float((~np.isfinite(first)).mean()),
        sparsity=[float(x) for x in fired / neurons],
        out_of_range=float(sum(run.out_of_range for run, _ in runs) / neurons.sum()) if limited else None,
        spikes=spikes,
        neurons=cells,
        decision_tau=decision,
        slowest_tau=slowest,
        energy_j=None if energy is None else float(sum(energy)),
    )
