"""What the plans of the operating points share: a few fixed stimuli for a neuron of either code."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from ..deck.run import Run, SpikeStimulus
from ..neuron.manifest import Manifest
from .base import Plan, check_valid
from .constant_currents import check_current, current_runs


class ProbePlan(Plan):
    """A plan that repeats the same few stimuli. ``times`` and ``weights`` (in tau, unit weights; one list per stimulus)
    are for a TTFS neuron, ``currents_a`` and ``window`` for a rate neuron; by default the geometric mean of its range.
    """

    code: ClassVar[str] = "any"
    times: tuple[tuple[float, ...], ...] = Field(
        default=((0.3, 0.6),), description="input times of a TTFS neuron, in tau; one list per stimulus"
    )
    weights: tuple[tuple[float, ...], ...] = Field(
        default=((0.8, 0.8),), description="weights of these inputs, in unit weights; one list per stimulus"
    )
    settle: float = Field(default=4.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    currents_a: tuple[float, ...] | None = Field(
        default=None,
        min_length=1,
        description="currents of a rate neuron, in A; left out: the geometric middle of the manifest's current_a",
    )
    window: float = Field(default=5.0, gt=0, le=1e5, description="length of a run of a rate neuron, in time units")

    @model_validator(mode="after")
    def _stimuli_match(self) -> Self:
        if not self.times or [len(t) for t in self.times] != [len(w) for w in self.weights]:
            raise ValueError(
                "times and weights must hold the same number of stimuli, each with as many times as weights"
            )
        if any(sum(w) <= 1 for w in self.weights):
            raise ValueError("each stimulus needs weights that sum to more than 1: the neuron must fire")
        if self.currents_a is not None and min(self.currents_a) <= 0:
            raise ValueError("currents_a must be positive currents in amperes")
        return self

    def stimuli(self, manifest: Manifest, parameters: dict[str, float]) -> list[Run]:
        """One run per stimulus at the nominal point; ``trial`` counts them.

        Raises InputError for a stimulus outside the validity range of the neuron.
        """
        unit = self.unit_s(manifest, parameters)
        if manifest.code == "rate":
            low, high = manifest.validity.current_a or (0.0, 0.0)
            currents = self.currents_a or (float(f"{np.sqrt(low * high):.3g}"),)
            for current in currents:
                check_current(self.kind, manifest, current)
            watched = {"window_s": self.window * unit, "at_a": min(currents), "shortest": 1.0}
            return current_runs(self.kind, currents, **watched, parameters=parameters)
        runs = []
        for trial, (times, weights) in enumerate(zip(self.times, self.weights, strict=True)):
            check_valid(self.kind, manifest, np.array(times), np.array(weights))
            stimulus = SpikeStimulus(times_s=tuple(time * unit for time in times), weights=weights)
            window_s = (max(times) + self.settle) * unit
            runs.append(Run(plan=self.kind, trial=trial, window_s=window_s, stimulus=stimulus, parameters=parameters))
        return runs
