"""Perturbed stimuli of table 3 of paper 004: jitter of the input times, and quantized weights."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.neuron.conductance_bank import ConductanceBank

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import Times, TTFSPlan, WeightRange, Weights, check_valid


class Jitter(TTFSPlan):
    """Each input time t_i becomes t_i (1 + j n), n standard normal; one draw per trial and level.

    Level 0 is the unperturbed stimulus: its spike time is the desired one, and its distance from equation 4 the
    numerical floor of the deck. The paper gives neither times, weights, distribution nor number of trials.

    With ``weight`` every trial has weights of its own, uniform in that range, instead of ``weights``. An output that is
    sampled needs this: the same stimulus again and again is always as near to the next clock edge.
    """

    kind: ClassVar[str] = "jitter"
    summary: ClassVar[str] = "output jitter for jittered input times (paper 004, table 3)"
    settle: float = Field(default=4.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    trials: int = Field(default=200, ge=2, le=100_000, description="draws of the jitter at each level")
    levels: tuple[float, ...] = Field(
        default=(0.01, 0.03, 0.05, 0.07, 0.09),
        description="relative jitter of the input times, a fraction: 1 % is 0.01",
    )
    times: Times = (0.3, 0.6)
    weights: Weights = (0.55, 0.55)
    weight: tuple[float, float] | None = Field(
        default=None, description="range that each trial draws its weights from; left out: 'weights' in every trial"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.times) != len(self.weights) or not self.times:
            raise ValueError("times and weights must have the same length, at least 1")
        if any(not 0 < level < 0.3 for level in self.levels):
            raise ValueError("levels are relative jitter as a fraction, above 0 and below 0.3 (1 % is 0.01)")
        if self.weight is not None and not self.weight[0] <= self.weight[1]:
            raise ValueError(f"weight = {list(self.weight)} must rise")
        least = sum(self.weights) if self.weight is None else self.weight[0] * len(self.times)
        if least <= 1:
            raise ValueError(f"the weights sum to {least:g}: the neuron never fires (above 1 is needed)")
        return self

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        unit = self.unit_s(manifest, parameters)
        times = np.array(self.times)
        most = self.weights if self.weight is None else (self.weight[1],) * times.size
        check_valid(self.kind, manifest, times, np.array(most))
        runs = []
        for number, level in enumerate((0.0, *self.levels)):
            for trial in range(self.trials):
                weights = np.array(self.weights)
                if self.weight is not None:  # of a stream that no level has: the same at each
                    weights = self.rng(seed, trial, len(self.levels) + 1).uniform(*self.weight, times.size)
                draw = self.rng(seed, trial, number).standard_normal(times.size)
                jittered = np.maximum(times * (1 + level * draw), 0.0)
                about = {"trial": trial, "level": level, "parameters": parameters}
                runs.append(self.run(unit, jittered, weights, nominal_times=times, **about))
        return runs


class Quantization(TTFSPlan):
    """Two inputs with random weights, realized by a conductance bank of ``levels`` bits and full scale ``w_max``.

    Weights are uniform in ``weight``, drawn once per trial and the same for all levels. Level 0 is the unquantized
    stimulus: the desired spike time and the numerical floor. The paper gives neither range, weights nor trials.
    """

    kind: ClassVar[str] = "quantization"
    summary: ClassVar[str] = "output jitter for quantized weights (paper 004, table 3)"
    settle: float = Field(default=4.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    trials: int = Field(default=200, ge=2, le=100_000, description="draws of the weights, the same at each level")
    levels: tuple[int, ...] = Field(default=(4, 8, 16, 24, 32), description="resolutions of the weights, in bits")
    times: Times = (0.3, 0.6)
    weight: WeightRange = (0.6, 1.0)
    w_max: float = Field(default=1.0, gt=0, description="full scale of the conductance bank, in unit weights")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(not 1 <= bits <= 32 for bits in self.levels):
            raise ValueError("levels are bits, 1 to 32")
        if not self.weight[0] <= self.weight[1] <= self.w_max:
            raise ValueError(f"weight = {list(self.weight)} must rise and stay within w_max = {self.w_max:g}")
        if len(self.times) * self.weight[0] <= 1:
            raise ValueError("the smallest weights sum to 1 or less: such a stimulus never fires")
        return self

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        unit = self.unit_s(manifest, parameters)
        times = np.array(self.times)
        check_valid(self.kind, manifest, times, np.full(times.size, self.w_max))
        runs = []
        for level in (0, *self.levels):
            for trial in range(self.trials):
                nominal = self.rng(seed, trial).uniform(*self.weight, times.size)
                weights = ConductanceBank(bits=level, w_max=self.w_max).quantize(nominal) if level else nominal
                about = {"trial": trial, "level": float(level), "parameters": parameters}
                runs.append(self.run(unit, times, weights, nominal_weights=nominal, **about))
        return runs
