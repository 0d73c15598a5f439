"""``neuronsim compare``: the same stimuli through every level of a neuron."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .characterize import Set
from .common import Engine, Jobs, Quiet, Seed, Trust, console, output_file, saved, settings, show_tables

if TYPE_CHECKING:
    import xarray as xr


def show_levels(data: xr.Dataset) -> None:
    """Print the tables of a comparison."""
    from ..analysis.level_errors import steps
    from ..report.chapters.abstraction_levels import tables

    show_tables(tables(data), columns=6)
    for step in steps(data):
        grid = "" if math.isnan(step.sampling_tau) else f"; its spikes come on a grid of {step.sampling_tau:.4g} tau"
        console.print(
            f"{step.level}: fires or stays silent as {step.against} does in {100 * step.agreement.value:.4g} % of the runs "
            f"({100 * step.agreement.low:.3g} to {100 * step.agreement.high:.3g} %), {step.failed} failed{grid}",
            soft_wrap=True,
        )


def compare_command(
    neurons: Annotated[
        list[str],
        typer.Argument(
            help="A family (pll_nlif: every neuron of that prefix), or names of neurons and manifests (.toml)."
        ),
    ],
    stimuli: Annotated[int, typer.Option(min=2, help="Random stimuli, the same at every level.")] = 60,
    out: Annotated[Path | None, typer.Option(help="Levels file to write (.nc). Default: build/levels.nc")] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    set_: Set = None,
    engine: Engine = "ngspice-shared",
    timeout: Annotated[float, typer.Option(help="Seconds after which a run is killed and has failed.")] = 120.0,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Compare the levels of a neuron: equation 4, event solver and netlists on the same stimuli, each with the one above.

    Writes the spike times (netCDF) and a plot (.png). 'neuronsim report' shows both, and so does the datasheet of a neuron whose
    dataset lies in the same folder as levels.nc or in a folder of it.

    Example: neuronsim compare pll_nlif
    """
    from neuronsim.circuits import compare
    from neuronsim.progress import bar

    from ..report.chapters.abstraction_levels import level_errors
    from ..report.page.figures import save_png

    path = output_file(out or Path("build/levels.nc"))
    with bar(f"compare {', '.join(neurons)}", 1, shown=not quiet) as progress:
        data = compare(
            neurons,
            stimuli=stimuli,
            seed=seed,
            parameters=settings(set_ or []),
            out=path,
            jobs=jobs,
            engine=engine,
            timeout_s=timeout,
            trust=trust,
            progress=progress.move,
        )
    show_levels(data)
    console.print()
    saved("levels", path)
    saved("plot", save_png(level_errors, path.with_suffix(".png"), data))
