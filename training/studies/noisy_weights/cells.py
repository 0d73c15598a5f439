"""Paper 000 as cells, one inference pass each: ANN and SNN, noise levels, thresholds, trials, chips."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuronsim.artifacts import noisy_weights_study as names
from neuronsim.artifacts.noisy_weights_study import Architecture
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.training.rate.conversion import PAPER_NEURON
from neuronsim.training.rate.graph import Neuron

from .plan import NoisyWeightsPlan

Side = Literal["ann", "snn"]
ANN_DRAWS = 10
_SHARED_IMAGES = 300  # of a pass whose shared kernel is drawn weight by weight
_NETWORK, _FEW_DRAWS = 34, 5


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all passes of a study share."""

    plan: NoisyWeightsPlan
    seed: int
    card: RateCard | None = None

    @property
    def neuron(self) -> Neuron:
        """The paper's neuron with the plan's reset and precharge."""
        return PAPER_NEURON.model_copy(update={"reset": self.plan.reset, "precharge": self.plan.precharge})

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

    def first(self, n: int) -> Self:
        """The same with at most the first ``n`` images."""
        return self if n >= len(self.labels) else replace(self, images=self.images[:n], labels=self.labels[:n])


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One pass over the images. ``noise``: a name of the result file."""

    architecture: Architecture
    network: int
    side: Side
    noise: str
    scale: float
    level: float
    trial: int

    @property
    def row(self) -> tuple[Any, ...]:
        """What cells of one row share."""
        return self.architecture, self.side, self.noise, self.scale, self.level

    def images(self, n: int, plan: NoisyWeightsPlan) -> int:
        """Images of the pass, of ``n`` test images."""
        return min(n, {"frozen": plan.chip_images, names.SNN_SHARED: _SHARED_IMAGES}.get(self.noise, n))


def cells(plan: NoisyWeightsPlan, *, card: bool = False) -> list[Cell]:
    """All passes, those first without which the rest says little: every network and level once, then further trials.

    Without noise the ANN gives the same every time, so it passes once; the SNN's input trains are drawn anew. With a card, the
    passes on its neurons come last.
    """
    passes = []
    for trial in range(max(plan.trials, ANN_DRAWS, plan.chips)):
        for network in range(plan.networks):
            for architecture in plan.architectures:
                for side, noise, scale, draws, noiseless in _rows(plan, architecture):
                    for level in plan.levels:
                        once = side == "ann" and level == 0
                        if trial < (1 if once else draws) and (level > 0 or noiseless):
                            cell = {"network": network, "side": side, "noise": noise, "scale": scale, "level": level}
                            passes.append(Cell(architecture=architecture, trial=trial, **cell))
    return [*passes, *_card_cells(plan)] if card else passes


def _rows(plan: NoisyWeightsPlan, architecture: Architecture) -> Iterator[tuple[Side, str, float, int, bool]]:
    """Rows of one network: (side, noise, threshold scale, passes of it, whether it has a pass without noise).

    One draw for all images decides an ANN's accuracy, and costs next to nothing: ANN_DRAWS of them at least, so that their spread
    is seen. A shared kernel under temporal noise has to be drawn weight by weight: one trial of few images.
    """
    ann_draws = max(plan.trials, ANN_DRAWS)
    yield "ann", names.ANN_PAPER, 1.0, ann_draws, True
    yield "ann", names.ANN_SAMPLE, 1.0, plan.trials, False
    yield "ann", "frozen", 1.0, plan.chips, False
    for scale in (1.0, *(scale for scale in plan.scales if scale != 1.0)):
        yield "snn", "temporal", scale, plan.trials, True
    yield "snn", "frozen", 1.0, plan.chips, False
    if architecture == "cnn":
        yield "ann", names.ANN_UNROLLED, 1.0, ann_draws, False
        if plan.kernels == "unrolled":
            yield "snn", names.SNN_SHARED, 1.0, 1, False


def _card_cells(plan: NoisyWeightsPlan) -> Iterator[Cell]:
    """Passes on the neurons of a card: ``plan.chips`` chips where mismatch acts, else few draws of the temporal noise."""
    for name, frozen, temporal in names.CARD_CONDITIONS:
        trials = plan.chips if frozen else min(plan.chips, _FEW_DRAWS) if temporal else 1
        for architecture in plan.architectures:
            for network in range(plan.networks):
                for trial in range(trials):
                    about = {"architecture": architecture, "network": network, "trial": trial}
                    yield Cell(side="snn", noise=name, scale=1.0, level=0.0, **about)


def key_of(cell: Cell, subject: Subject, conditions: Conditions) -> list[Any]:
    """Everything that decides the result of a cell."""
    plan, card = conditions.plan, conditions.card
    seed = conditions.draws(cell.network)
    key: list[Any] = ["noisy weights", cell.side, cell.noise, cell.level, cell.trial, seed, subject.digest]
    key += [subject.data_digest, cell.images(len(subject.labels), plan)]
    if cell.side == "ann":
        # Frozen draws were the ANN's own before they were the SNN's chip.
        key += ["chip of the SNN"] if cell.noise == "frozen" else []
    else:
        key += [cell.scale, plan.steps, plan.encoding]
        if card is not None and cell.noise.startswith("card"):
            key += [card.content_digest(), plan.jitter]
    return key + plan.departures
