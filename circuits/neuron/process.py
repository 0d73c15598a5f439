"""The process that a netlist's transistors belong to: its corners and its mismatch, one TOML file beside the models."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from neuronsim.errors import DataError, InputError, suggest
from neuronsim.schema import Part, read_toml, rejected_field


class Pelgrom(Part):
    """Threshold mismatch of one transistor model: sigma(V_t1 - V_t2) = a_vt/sqrt(W L) for a neighboring equal pair.

    a_vt in V m (3 mV um is 3e-9). Pelgrom, Duinmaijer and Welbers, Matching properties of MOS transistors, JSSC 1989.
    narrower_m, shorter_m: what the drawn width and length lose before they count, where a process says so.
    """

    a_vt: float = Field(gt=0, lt=1e-6)
    narrower_m: float = Field(default=0.0, gt=-1e-5, lt=1e-5)
    shorter_m: float = Field(default=0.0, gt=-1e-5, lt=1e-5)

    def sigma_v(self, width_m: float, length_m: float) -> float:
        """Standard deviation of one transistor's threshold in volts: that of the pair divided by sqrt(2).

        Raises InputError for a transistor that has no area left.
        """
        width, length = width_m - self.narrower_m, length_m - self.shorter_m
        if not (width > 0 and length > 0):
            raise InputError(
                f"a transistor {width_m:g} m wide and {length_m:g} m long is too small for the mismatch law of its process, "
                f"which takes {self.narrower_m:g} m off the width and {self.shorter_m:g} m off the length"
            )
        return self.a_vt / math.sqrt(2.0 * width * length)


class Process(Part):
    """Corners (name -> global parameters of the model file) and mismatch (model name -> law).

    ``sections``: for models from a library, corner -> section that the model file names -> section that replaces it.
    """

    name: str
    summary: str
    corners: dict[str, dict[str, float]] = Field(min_length=1)
    sections: dict[str, dict[str, str]] = Field(default_factory=dict)
    mismatch: dict[str, Pelgrom] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sections_of_corners(self) -> Self:
        surplus = sorted(set(self.sections) - set(self.corners))
        if surplus:
            raise ValueError(f"[sections] has '{surplus[0]}', which is not one of the corners {list(self.corners)}")
        return self

    def corner(self, name: str) -> dict[str, float]:
        """Parameter values of a corner. Raises InputError naming the nearest for an unknown one."""
        if name not in self.corners:
            raise InputError(f"process {self.name} has no corner '{name}'.{suggest(name, self.corners)}")
        return self.corners[name]

    def library_sections(self, corner: str) -> dict[str, str]:
        """Sections of a model library that others replace at a corner. Raises InputError as :meth:`corner`."""
        self.corner(corner)
        return {name.lower(): other for name, other in self.sections.get(corner, {}).items()}


def load_process(path: Path) -> Process:
    """Read a process file. Raises DataError naming the file and the field."""
    if not path.is_file():
        raise DataError(f"process file {path} does not exist: correct 'process' in the manifest")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, changed_ns: int) -> Process:
    """Asked of every run of a campaign, and the same for all of them."""
    try:
        return Process.model_validate(read_toml(path, "process"))
    except ValidationError as error:
        raise DataError(f"{path}: {rejected_field(error, Process)}") from None
