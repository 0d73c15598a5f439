"""``neuronsim characterize``: a netlist in ngspice under a plan, dataset and datasheet."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..errors import NeuronsimError
from .common import Engine, Jobs, Quiet, Seed, Trust, console, output_file, saved, settings

Neuron = Annotated[
    str, typer.Argument(help="Name of a neuron ('neuronsim list neurons') or path of a manifest (.toml).")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Replace a netlist parameter, e.g. --set tau=25n."),
]
Timeout = Annotated[
    float | None,
    typer.Option(help="Seconds after which a run is killed and has failed. Default: 60, at transistor level 600."),
]


def show_dataset(path: Path) -> None:
    """Say how many runs and measurements of cells a dataset has, why some failed, and why no run fired."""
    from ..artifacts.dataset import Characterization, cell_plans, silence

    data = Characterization.load(path).data
    _warn_of_old_card(path, data.attrs["neuron"])

    def failed(reasons: str) -> str:
        return f", [yellow]failed: {reasons}[/]" if reasons else ""

    for kind in cell_plans(data):
        lost = sorted(set(data[f"{kind}_reason"].values.tolist()) - {""})
        made = len(set(data[f"{kind}_measurement"].values.tolist()))
        console.print(f"{kind}: {made} measurements of the cell" + failed(", ".join(lost)))
    reasons, total = Counter(str(reason) for reason in data["reason"].values if reason), data.sizes["run"]
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    console.print(f"{total} runs, {total - sum(reasons.values())} ok" + failed(counted))
    said = silence(data)
    if said:
        advice = "Correct 'spike' in the manifest, or raise the input or the window."
        console.print(f"[yellow]no run fired[/]: {said}. {advice}", soft_wrap=True)


def _warn_of_old_card(dataset: Path, neuron: str) -> None:
    """Say that the card beside ``dataset`` was calibrated from another dataset of this neuron."""
    from ..artifacts.card_base import ModelCard
    from ..artifacts.netcdf import stored_attribute

    try:
        card = ModelCard.load(dataset.with_name("card.json"))
    except NeuronsimError:  # none, or no card: its reader says what is wrong with it
        return
    if card.neuron == neuron and card.provenance.dataset_digest != stored_attribute(dataset, "digest"):
        console.print(
            f"[yellow]card.json is of an earlier dataset[/]: run 'neuronsim calibrate {escape(str(dataset))}'",
            soft_wrap=True,
        )


def characterize_command(
    neuron: Neuron,
    plan: Annotated[
        str | None,
        typer.Option(
            help="Plans, comma-separated: names, groups (table3, card, quick, datasheet) or TOML files; "
            "see 'neuronsim list plans'. Default: card,table3 for a TTFS neuron, fi for a rate neuron."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Dataset to write (.nc). Default: build/NEURON/NEURON.nc")] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    set_: Set = None,
    engine: Engine = "ngspice-shared",
    timeout: Timeout = None,
    trust: Trust = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Simulate everything again.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Simulate rows again that failed before.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Characterize a neuron in ngspice: run PLANs on its netlist, write a dataset (netCDF) and a datasheet (HTML).

    Finished runs are cached by content, so an interrupted command resumes where it stopped and an unchanged one takes
    seconds. A run that hangs, crashes or does not converge becomes a row with a reason.

    Example: neuronsim characterize pll_nlif_averaged --plan table3 --jobs 2
    """
    from neuronsim.circuits import characterize, load_manifest, load_plans
    from neuronsim.progress import bar
    from neuronsim.report import levels_near, write_datasheet

    name = Path(neuron).stem
    path = output_file(out or Path("build") / name / f"{name}.nc")
    manifest = load_manifest(neuron)

    def left_out(kind: str, why: str) -> None:
        console.print(f"[yellow]left out[/] plan {kind}: {why}", soft_wrap=True)

    plans = load_plans(plan or ("card,table3" if manifest.code == "ttfs" else "fi"), manifest, on_skip=left_out)
    with bar(f"characterize {manifest.name}", 1, shown=not quiet) as progress:
        characterize(
            manifest,
            plans,
            out=path,
            seed=seed,
            jobs=jobs,
            engine=engine,
            timeout_s=timeout,
            parameters=settings(set_ or []),
            trust=trust,
            cache=not no_cache,
            retry_failed=retry_failed,
            progress=progress.move,
        )
    saved("dataset", path)
    show_dataset(path)
    saved("datasheet", write_datasheet(path, path.with_suffix(".html"), levels=levels_near(path, manifest.name)))
