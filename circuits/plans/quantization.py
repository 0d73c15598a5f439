"""Weight quantization: lower half of table 3 of paper 004."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.neuron.conductance_bank import ConductanceBank

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import TTFSPlan, check_valid


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
    times: tuple[float, ...] = Field(default=(0.3, 0.6), description="input times, in tau")
    weight: tuple[float, float] = Field(
        default=(0.6, 1.0), description="range that the weights are drawn from, in unit weights"
    )
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
