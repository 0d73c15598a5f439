"""The grid of operating points that a plan visits: process corners, temperatures, supplies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from neuronsim.errors import InputError

from ..deck.operating_point import OperatingPoint, grid
from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import Plan

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
            raise InputError(
                f"plan '{kind}' needs [energy] supplies in the manifest of {manifest.name} to set the supply"
            )
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
