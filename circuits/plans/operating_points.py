"""What the plans of the operating points share: a few fixed stimuli for a neuron of either code, at process corners,
temperatures and supplies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.errors import InputError

from ..deck.operating_point import OperatingPoint, grid
from ..deck.run import Run, SpikeStimulus
from ..neuron.manifest import Manifest
from .base import Plan, check_valid
from .constant_currents import check_current, current_runs

Supplies = Annotated[tuple[float, ...], Field(min_length=1, description="supplies, as fractions of the nominal one")]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every combination of ``corners`` (None: all of the process), ``temperatures_c`` and ``supplies``, fractions of the
    nominal supply."""

    corners: Sequence[str] | None = None
    temperatures_c: Sequence[float] = (27.0,)
    supplies: Sequence[float] = (1.0,)

    def points(self, manifest: Manifest, parameters: dict[str, float], kind: str) -> tuple[OperatingPoint, ...]:
        """The points, for plan ``kind`` on the neuron of ``manifest``.

        Raises InputError for an unknown corner, a manifest without a process, or supplies where there is none to set.
        """
        process = manifest.required_process(f"the corners of plan '{kind}'")
        for corner in self.corners or ():
            process.corner(corner)
        if manifest.energy is None or not manifest.energy.supplies:
            raise InputError(f"plan '{kind}' sets supplies: the manifest of {manifest.name} needs [energy] supplies")
        nominal_v = manifest.checked(parameters)[next(iter(manifest.energy.supplies.values()))]
        volts = [float(f"{nominal_v * factor:.6g}") for factor in self.supplies]
        return grid(tuple(self.corners or process.corners), self.temperatures_c, volts)


class GridPlan(Plan):
    """A plan that visits a :class:`Grid`; its defaults are the plan's own."""

    corners: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="process corners; left out: all of the process (plan 'energy': the nominal point)",
    )
    temperatures_c: tuple[float, ...] = Field(
        default=(-40.0, 27.0, 125.0), min_length=1, description="temperatures, in degrees Celsius"
    )
    supplies: Supplies = (1.0,)

    @property
    def grid(self) -> Grid:
        """Where the plan goes."""
        return Grid(corners=self.corners, temperatures_c=self.temperatures_c, supplies=self.supplies)

    def everywhere(self, runs: Sequence[Run], manifest: Manifest, parameters: dict[str, float]) -> list[Run]:
        """All ``runs`` at each point of the grid. Raises InputError as :meth:`Grid.points`."""
        points = self.grid.points(manifest, parameters, self.kind)
        return [replace(run, operating=point) for point in points for run in runs]


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
            raise ValueError("times and weights must hold as many stimuli, each with as many times as weights")
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
