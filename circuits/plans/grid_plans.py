"""What a neuron does at each corner, temperature and supply: whether it fires, for how much energy, and again after a reset."""

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, model_validator

from neuronsim.errors import InputError

from ..deck.run import Run, SecondRound
from ..neuron.manifest import Manifest
from .operating_points import GridPlan, ProbePlan, Supplies


class Corners(GridPlan, ProbePlan):
    """Every stimulus at every combination of corner, temperature and supply; by default the 45 points of a sign-off.

    ``corners`` None: all of the manifest's process. ``supplies`` are fractions of the nominal supply.
    """

    kind: ClassVar[str] = "corners"
    summary: ClassVar[str] = "every process corner, temperature and supply: fired or silent, spike time, energy"
    supplies: Supplies = (0.9, 1.0, 1.1)

    def obstacle(self, manifest: Manifest) -> str | None:
        return super().obstacle(manifest) or (None if manifest.process else "the manifest names no process")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        return self.everywhere(self.stimuli(manifest, parameters), manifest, parameters)


class Energy(GridPlan, ProbePlan):
    """Each stimulus (level as the plan's, at least 0) and, at level -1, the same window without any input: static power.

    Without ``corners`` at the nominal point; with them at each corner, temperature and supply (fractions).
    """

    kind: ClassVar[str] = "energy"
    summary: ClassVar[str] = "energy per spike (active window, always on) and static power, by supply"
    temperatures_c: tuple[float, ...] = Field(
        default=(27.0,), min_length=1, description="temperatures, in degrees Celsius; only with corners"
    )

    def obstacle(self, manifest: Manifest) -> str | None:
        return super().obstacle(manifest) or (None if manifest.energy else "the manifest names no supplies")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        stimuli = [replace(run, level=float(run.trial)) for run in self.stimuli(manifest, parameters)]
        idle = replace(
            max(stimuli, key=lambda run: run.window_s),
            trial=len(stimuli),
            level=-1.0,
            stimulus=stimuli[0].stimulus.silent(),
        )
        runs = [*stimuli, idle]
        return runs if self.corners is None else self.everywhere(runs, manifest, parameters)


class Reset(GridPlan, ProbePlan):
    """Every stimulus, ``rest`` tau after its last input a reset of ``reset`` tau that ends there, and the stimulus again.

    ``rest`` is counted to the end of the reset, the second time zero: until then what the first inputs left in the loop has
    decayed by e^-rest. The neuron starts afresh when it is silent after the reset until the stimulus, and then fires as long
    after the second time zero as it did after the first. At each corner, temperature and supply (fractions), by default
    the 45 points of a sign-off.
    """

    kind: ClassVar[str] = "reset"
    code: ClassVar[str] = "ttfs"
    summary: ClassVar[str] = "spike, reset, and the same stimulus again: does it fire again, and as late"
    supplies: Supplies = (0.9, 1.0, 1.1)
    settle: float = Field(default=2.5, gt=0, le=100, description="how long to watch after the last input, in tau")
    rest: float = Field(default=5.0, gt=0, le=100, description="from the last input to the second time zero, in tau")
    reset: float = Field(default=0.5, gt=0, le=100, description="length of the reset, in tau")
    tolerance: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="largest difference of the two spike times, in tau; above the sampling period",
    )

    @model_validator(mode="after")
    def _reset_after_the_spike(self) -> Self:
        if self.rest < self.settle + self.reset:
            raise ValueError(
                f"rest = {self.rest:g} must be at least settle + reset = {self.settle + self.reset:g}: the reset is to come "
                "after the spike"
            )
        return self

    def obstacle(self, manifest: Manifest) -> str | None:
        if manifest.code == "ttfs" and (manifest.stimulus.kind != "pulse" or not manifest.time.lead_in):
            return "it needs input pulses and a reset port that is high before time zero ([time] lead_in)"
        return super().obstacle(manifest) or (None if manifest.process else "the manifest names no process")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        obstacle = self.obstacle(manifest)
        if obstacle:
            raise InputError(f"plan 'reset' cannot be done with {manifest.name}: {obstacle}")
        unit = self.unit_s(manifest, parameters)
        runs = []
        for run in self.stimuli(manifest, parameters):
            again = SecondRound(at_s=max(run.spikes.times_s) + self.rest * unit, reset_s=self.reset * unit)
            runs.append(replace(run, again=again, window_s=again.at_s + run.window_s))
        return self.everywhere(runs, manifest, parameters)
