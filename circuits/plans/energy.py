"""Energy of a spike, static power, and what it costs to keep the neuron on."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .fixed_stimuli import ProbePlan
from .operating_grid import GridPlan


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
