"""Spikes and energy per inference: from a card, and by the rules that count spikes, synaptic events or weights.

Let s be the spikes that neurons send per image, e the synaptic events (each spike of an input, a bias or a neuron, times the
synapses it drives; a max-pooling wire has none of its own), W the number of weights, r the share of neurons that fire.

    by spikes   E = s * e_spike                 by synaptic events   E = e * e_spike
    paper 004   E = W * r * e_spike,  e_spike = 10 pJ (section 4.1: 205 nJ from 21K weights and r = 0.94)

    card, active window      E = per_spike * s + static * neurons * T,   T = mean time to the decision
    card, always on          the same with T = the window of a fixed clock

The paper calls the result "each spike cost 10 pJ"; its figure follows from weights, not from spikes. The clock's window is the
slowest decision of any image, and at least 5 tau.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuronsim.artifacts.ttfs_card import TTFSCard

from .geometry import Geometry
from .layers import SpikingLayer
from .network import Neurons, TTFSNetwork

LEAST_WINDOW_TAU = 5.0


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Means per image, over the images of a data set; ``decision_tau``: silent images count as the slowest decided one."""

    n_images: int
    n_neurons: int
    sparsity: list[float]
    mean_sparsity: float
    input_spikes: float
    spikes: float
    spikes_by_decision: float
    synaptic_events: float
    decision_tau: float


def activity(network: TTFSNetwork, batches: list[tuple[Tensor, Tensor]]) -> Activity:
    """Count the spikes of ``network`` (exact neurons, weights as deployed) over ``batches`` of (z, labels)."""
    images, inputs, early, events = 0, 0, 0, 0.0
    fired, neurons = np.zeros(len(network.spiking)), np.zeros(len(network.spiking))
    decisions = []
    with torch.no_grad():
        for z, labels in batches:
            images += len(labels)
            inputs += int(torch.isfinite(z).sum())
            outputs: list[Tensor] = []

            def watch(neurons: Neurons, spikes: Tensor, out: Tensor, kept: list[Tensor] = outputs) -> None:
                nonlocal events
                events += delivered(spikes, neurons.geometry, neurons.module)
                kept.append(out.reshape(len(out), -1))

            network.watched(z, watch)
            first = outputs[-1].min(dim=1, keepdim=True).values
            early += sum(int((torch.isfinite(out) & (out <= first)).sum()) for out in outputs)
            fired += [int(torch.isfinite(out).sum()) for out in outputs]
            neurons += [out.numel() for out in outputs]
            decisions.append(torch.log(first[:, 0]).numpy())
    decision, _ = waiting(np.concatenate(decisions))
    return Activity(
        n_images=images,
        n_neurons=int(neurons.sum()) // images,
        sparsity=[float(share) for share in fired / neurons],
        mean_sparsity=float(fired.sum() / neurons.sum()),
        input_spikes=inputs / images,
        spikes=float(fired.sum()) / images,
        spikes_by_decision=early / images,
        synaptic_events=events / images,
        decision_tau=decision,
    )


def delivered(z: Tensor, geometry: Geometry, layer: SpikingLayer) -> float:
    """Synaptic events that the spikes of ``z`` (batch, ...), and the bias, cause in ``layer``."""
    fan_out = geometry.fan_out() * layer.n_out
    spikes = torch.isfinite(z).reshape(len(z), -1).sum(dim=0).numpy()
    return float(spikes @ fan_out) + layer.bias * len(z) * geometry.positions * layer.n_out


def waiting(first: NDArray) -> tuple[float, float]:
    """(mean, largest) time in tau that an inference takes, from the first output spike of each image.

    Without a decision (inf) the circuit is watched as long as the slowest decided image took; 0 where none was decided.
    """
    decided = np.isfinite(first)
    slowest = float(first[decided].max()) if decided.any() else 0.0
    return float(np.where(decided, first, slowest).mean()), slowest


def card_energy(card: TTFSCard, spikes: float, neurons: float, window_tau: float) -> tuple[float, float] | None:
    """(energy of the spikes, energy of the static power) in joules per inference; None where the card has no energy."""
    if card.energy is None:
        return None
    static = card.energy.static_w.value * neurons * window_tau * card.kernel.tau_s.value
    return card.energy.per_spike_j.value * spikes, static


def clock_window(slowest_tau: float) -> float:
    """Window of an always-on circuit in tau."""
    return max(LEAST_WINDOW_TAU, slowest_tau)
