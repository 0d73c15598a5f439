"""``neuronsim robustness`` and ``neuronsim reproduce``: studies of networks, each with the options of its plan."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neuronsim.training.studies import NoiseAdaptorPlan, NoisyWeightsPlan, RobustnessPlan

from .common import console, saved, show_tables, typed_command
from .plan_options import with_plan

_REPRODUCE = "Repeat the experiments of a source paper; its values stand beside ours."
reproduce_app = typer.Typer(help=_REPRODUCE, no_args_is_help=True)


def _show(studies: dict[Path, Any]) -> None:
    """Print the tables of the studies, write them and the plots beside each, and say where everything is."""
    from ..report import write_study_files
    from ..report.study_files import study_report

    for study in studies.values():
        report = study_report(study)
        console.print(f"\n[bold]{report.title}[/]")
        console.print(report.about, markup=False, soft_wrap=True)
        show_tables(report.tables)
    console.print()
    for path, study in studies.items():
        saved("study", path)
        for file in write_study_files(study, path.parent):
            if file.suffix == ".png":
                saved("plot", file)


@with_plan(RobustnessPlan)
def robustness_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders that 'neuronsim train' wrote, of one data set.")],
    plan: RobustnessPlan,
    card: Annotated[Path | None, typer.Option(help="Model card; without one the study 'card' is left out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and plots. Default: robustness/ in RUN.")] = None,
    *,
    call: dict[str, Any],
) -> None:
    """For each study one table, one plot (.png), and the data behind them (.json, .csv). Several RUNs are set side by side, on
    the same chips and draws; the first is the reference. A second call resumes where the first was interrupted.

    Example: neuronsim robustness build/runs/plain build/runs/aware --card build/pll_nlif_averaged/card.json
    """
    from neuronsim.training import stress

    from ..artifacts.robustness_study import Study

    _show({path: Study.load(path) for path in stress(runs, plan, out, card=card, **call)})
    if card is None and not plan.only:
        console.print("without --card, the study 'card' was left out")


@reproduce_app.callback(help=_REPRODUCE)
def _root() -> None:
    pass


@reproduce_app.command("noisy-weights")
@with_plan(
    NoisyWeightsPlan,
    {"architectures": ("--only",), "levels": ("--level",), "scales": ("--scale",)},
    percent=("levels",),
)
def noisy_weights_command(
    plan: NoisyWeightsPlan,
    card: Annotated[Path | None, typer.Option(help="Rate card on whose neurons the networks are put besides.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/noisy-weights"),
    *,
    call: dict[str, Any],
) -> None:
    """Every finished pass is kept: the same command resumes where it was interrupted, larger --networks or --trials add to it.

    Example: neuronsim reproduce noisy-weights --networks 1 --trials 2 --images 1000
    """
    from neuronsim.training.studies.noisy_weights.run import reproduce_noisy_weights

    from ..artifacts.noisy_weights_study import NoisyWeights

    path = reproduce_noisy_weights(plan, out, card=card, command=typed_command(), **call)
    _show({path: NoisyWeights.load(path)})


@reproduce_app.command("noise-adaptor")
@with_plan(NoiseAdaptorPlan, {"levels": ("--levels", "-p")})
def noise_adaptor_command(
    plan: NoiseAdaptorPlan,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results. Default: build/noise-adaptor/DATA, for other epochs DATA-quick."),
    ] = None,
    *,
    call: dict[str, Any],
) -> None:
    """Written: conversion.json, .csv, .md and .png. A second call resumes where the first was interrupted.

    Example: neuronsim reproduce noise-adaptor --quick
    """
    from neuronsim.training.studies.noise_adaptor.run import reproduce_noise_adaptor

    from ..artifacts.conversion_study import ConversionStudy

    folder = out or Path("build/noise-adaptor") / (plan.data if plan.epochs is None else f"{plan.data}-quick")
    path = reproduce_noise_adaptor(plan, folder, command=typed_command(), **call)
    _show({path: ConversionStudy.load(path)})
