"""Where a neuron is operated: corner, temperature, supply, and which chip of a lot it is on.

    fast_and_hot = OperatingPoint(corner="ff", temperature_c=125, supply_v=1.1)
    third_chip = OperatingPoint(chip=Chip(seed=0, number=2))
    replace(run, operating=fast_and_hot)

A plan lists its runs and gives each an operating point; deck and cache key follow. The nominal point
``OperatingPoint()`` changes nothing, so neurons without transistors never meet it.
"""

import itertools
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError
from neuronsim.schema import Part

from ..neuron.manifest import Manifest
from .transistors import Transistor

NOMINAL_C = 27.0


class Chip(Part):
    """One chip: ``number`` of the lot drawn from ``seed``. Each transistor's threshold shift is frozen by its name.

    A shift depends on seed, number and the transistor's name only, so a longer netlist or another stimulus leaves the
    shifts of the transistors that were there before as they are.
    """

    seed: int = Field(ge=0)
    number: int = Field(ge=0)

    def threshold_shifts(self, manifest: Manifest, transistors: Iterable[Transistor]) -> dict[str, float]:
        """Shift in volts (``delvto``) by transistor name, normal with Pelgrom's sigma of its width and length.

        Raises InputError when the manifest's process has no mismatch law for any of the transistors.
        """
        laws = manifest.required_process("a chip").mismatch
        shifts = {}
        for transistor in transistors:
            law = laws.get(transistor.model)
            if law is not None:
                drawn = _standard_normal(self.seed, self.number, transistor.name)
                shifts[transistor.name] = law.sigma_v(transistor.width_m, transistor.length_m) * drawn
        if not shifts:
            raise InputError(
                f"{manifest.name} has no transistor with a mismatch law: its process knows {sorted(laws) or 'none'}"
            )
        return shifts


@lru_cache(maxsize=100_000)  # every run of a chip asks for all of them
def _standard_normal(seed: int, number: int, name: str) -> float:
    return np.random.default_rng([seed, number, zlib.crc32(name.encode())]).standard_normal()


class OperatingPoint(Part):
    """Corner of the manifest's process (None: the models as they are), temperature in degrees Celsius, supply in volts
    (None: as the manifest says; all supplies are scaled alike), and chip (None: no mismatch).
    """

    corner: str | None = None
    temperature_c: float = Field(default=NOMINAL_C, ge=-55, le=175)
    supply_v: float | None = Field(default=None, gt=0, le=10)
    chip: Chip | None = None

    def supply_values(self, manifest: Manifest, values: dict[str, float]) -> dict[str, float]:
        """``values`` with every supply parameter scaled so that the first one is ``supply_v``.

        Raises InputError when the manifest names no supply, or the value is out of its range.
        """
        if self.supply_v is None:
            return values
        names = list(dict.fromkeys(manifest.energy.supplies.values())) if manifest.energy else []
        if not names:
            raise InputError(f"{manifest.name} has no [energy] supplies in its manifest: its supply cannot be set")
        factor = self.supply_v / values[names[0]]
        return manifest.checked({**values, **{name: values[name] * factor for name in names}})


NOMINAL = OperatingPoint()


def grid(
    corners: Sequence[str] = ("tt", "ss", "ff", "sf", "fs"),
    temperatures_c: Sequence[float] = (-40.0, 27.0, 125.0),
    supplies_v: Sequence[float] = (0.9, 1.0, 1.1),
) -> tuple[OperatingPoint, ...]:
    """Every combination of corner, temperature (degrees Celsius) and supply (V): by default the 45 of a sign-off."""
    return tuple(
        OperatingPoint(corner=corner, temperature_c=temperature, supply_v=supply)
        for corner, temperature, supply in itertools.product(corners, temperatures_c, supplies_v)
    )
