"""What the cell benches share: the deck around a cell at an operating point, and running it."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from neuronsim.errors import DataError
from neuronsim.schema import Part

from ..neuron.manifest import netlist_folder
from ..neuron.netlist import model_text
from ..neuron.process import load_process
from ..ngspice.command_line import ngspice, read_raw
from ..ngspice.outcome import first_complaint


class Condition(Part):
    """Process corner, temperature in degrees Celsius and supply in volts of a cell; ``process``: its name in netlists/models."""

    process: str = "generic65"
    corner: str = "tt"
    temperature_c: float = Field(default=27.0, ge=-55, le=175)
    supply_v: float = Field(default=1.0, gt=0, le=10)


NOMINAL = Condition()


def models(condition: Condition) -> str:
    """Text of the condition's models at its corner.

    Raises InputError for an unknown corner, MissingToolError for models from a package that is not installed.
    """
    path = netlist_folder() / "models" / f"{condition.process}.lib"
    process = load_process(path.with_suffix(".toml"))
    parameters = [f".param {name}={value:.12g}" for name, value in process.corner(condition.corner).items()]
    return "\n".join([model_text(path, process.library_sections(condition.corner)), *parameters])


def simulate(
    cells: Sequence[str],
    lines: Sequence[str],
    *,
    condition: Condition,
    save: Sequence[str],
    analysis: str,
    reltol: float = 1e-4,
    timeout_s: float = 600.0,
) -> dict[str, NDArray[np.float64]]:
    """Vectors of one simulation of ``lines`` with the named cell files, supply ``vdd`` and the condition's models.

    Raises InputError and MissingToolError as :func:`models`, DataError when ngspice gives no result.
    """
    folder = netlist_folder()
    deck = [
        "* cell bench, made by neuronsim",
        models(condition),
        *(f".include {folder}/cells/{cell}.lib" for cell in cells),
        f".options reltol={reltol:g} method=trap temp={condition.temperature_c:g}",
        f"Vdd vdd 0 {condition.supply_v:.9g}",
        *lines,
        ".save " + " ".join(save),
        analysis,
        ".end",
    ]
    with tempfile.TemporaryDirectory(prefix="neuronsim-") as scratch:
        path, raw = Path(scratch, "cell.cir"), Path(scratch, "cell.raw")
        path.write_text("\n".join(deck) + "\n", encoding="utf-8")
        try:
            done = ngspice(scratch, ["-b", "-r", str(raw), str(path)], timeout_s)
        except subprocess.TimeoutExpired:
            raise DataError(f"ngspice took more than {timeout_s:g} s for the cells {list(cells)}") from None
        vectors = read_raw(raw) if raw.is_file() else {}
    if not vectors or not next(iter(vectors.values())).size:
        raise DataError(
            f"ngspice gave no result for the cells {list(cells)}: {first_complaint(done.stdout + done.stderr)}"
        )
    return vectors
