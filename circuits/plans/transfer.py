"""Random stimuli: spike time against input times and signed weights."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.errors import InputError

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import TTFSPlan, WeightRange, problem_of

_TRIES = 10_000


class Transfer(TTFSPlan):
    """Random times uniform in (0, last_time) tau and signed weights uniform in ``weight``, 2 to 8 inputs.

    A fraction ``silent`` of the stimuli has a total weight below 1 - margin and must not fire; the others have at
    least 1 + margin, because the spike time of equation 4 diverges at a total of 1.
    """

    kind: ClassVar[str] = "transfer"
    summary: ClassVar[str] = "spike time for random times and signed weights, 2 to 8 inputs"
    trials: int = Field(default=200, ge=1, le=100_000, description="stimuli")
    inputs: tuple[int, int] = Field(default=(2, 8), description="fewest and most inputs of a stimulus")
    last_time: float = Field(default=2.0, gt=0.02, le=50, description="latest input time, in tau")
    weight: WeightRange = (-0.4, 1.2)
    margin: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="least distance of a stimulus' total weight from the threshold, in unit weights",
    )
    silent: float = Field(default=0.1, ge=0, lt=1, description="fraction of the stimuli that stay below the threshold")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 1 <= self.inputs[0] <= self.inputs[1] <= 64:
            raise ValueError(f"inputs = {list(self.inputs)} must rise and lie within 1 and 64")
        if not self.weight[0] < self.weight[1]:
            raise ValueError(f"weight = {list(self.weight)} must rise")
        if self.inputs[1] * self.weight[1] < 1 + self.margin:
            raise ValueError("no stimulus of this plan can reach the threshold: raise weight or inputs")
        return self

    def draw(self, rng: np.random.Generator, manifest: Manifest, silent: bool) -> tuple[np.ndarray, np.ndarray]:
        """Times (in tau) and weights whose total lies ``margin`` above the threshold (or below it, if ``silent``).

        Raises InputError when no such stimulus lies in the validity range of the neuron.
        """
        problem: str | None = "no draw had a total weight on the wanted side of the threshold"
        for _ in range(_TRIES):
            n = int(rng.integers(self.inputs[0], self.inputs[1] + 1))
            times = np.sort(rng.uniform(0.02, self.last_time, n))
            weights = rng.uniform(*self.weight, n)
            total = weights.sum()
            if (total > 1 - self.margin) if silent else (total < 1 + self.margin):
                continue
            problem = problem_of(manifest, times, weights)
            if problem is None:
                return times, weights
        raise InputError(
            f"plan '{self.kind}' finds no stimulus within the validity range of {manifest.name}: {problem}"
        )

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        unit = self.unit_s(manifest, parameters)
        runs = []
        for trial in range(self.trials):
            rng = self.rng(seed, trial)
            times, weights = self.draw(rng, manifest, bool(rng.random() < self.silent))
            runs.append(self.run(unit, times, weights, last_time=self.last_time, trial=trial, parameters=parameters))
        return runs
