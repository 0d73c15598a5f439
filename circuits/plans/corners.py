"""Process corners, temperatures and supplies: does the neuron fire at each of them, when, and for how much energy."""

from typing import ClassVar

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .fixed_stimuli import ProbePlan
from .operating_grid import GridPlan, Supplies


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
