"""Weight quantization: lower half of table 3 of paper 004."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.quantizer import ConductanceBank

from ..manifest import Manifest
from ..run import Run
from .base import TTFSPlan, check_valid


class Quantization(TTFSPlan):
    """Two inputs with random weights, realized by a conductance bank of ``levels`` bits and full scale ``w_max``.

    Weights are uniform in ``weight``, drawn once per trial and the same for all levels. Level 0 is the unquantized
    stimulus: the desired spike time and the numerical floor. The paper gives neither range, weights nor trials.
    """

    kind: ClassVar[str] = "quantization"
    summary: ClassVar[str] = "output jitter for quantized weights (paper 004, table 3)"
    settle: float = Field(default=4.0, gt=0, le=100)
    trials: int = Field(default=200, ge=2, le=100_000)
    levels: tuple[int, ...] = (4, 8, 16, 24, 32)
    times: tuple[float, ...] = (0.3, 0.6)
    weight: tuple[float, float] = (0.6, 1.0)
    w_max: float = Field(default=1.0, gt=0)

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
        """See the base class."""
        unit = self.unit_s(manifest, parameters)
        times = np.array(self.times)
        check_valid(self.kind, manifest, times, np.full(times.size, self.w_max))
        found = []
        for level in (0, *self.levels):
            for trial in range(self.trials):
                nominal = self.rng(seed, trial).uniform(*self.weight, times.size)
                weights = ConductanceBank(bits=level, w_max=self.w_max).quantize(nominal) if level else nominal
                found.append(
                    self.run(
                        unit,
                        times,
                        weights,
                        trial=trial,
                        level=float(level),
                        last_time=times.max(),
                        nominal_weights=nominal,
                        parameters=parameters,
                    )
                )
        return found
