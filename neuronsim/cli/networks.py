"""``neuronsim train`` and ``neuronsim evaluate``: from card to accuracy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import DataDir, Jobs, Quiet, Seed, console, output_file, saved, show_tables


def _interval(low: float | None, high: float | None) -> str:
    return "none: one chip" if low is None or high is None else f"{low:.2%} to {high:.2%}"


def show_evaluation(path: Path) -> None:
    """Print the accuracies of an evaluation file."""
    from rich.table import Table

    from ..artifacts.evaluation import Evaluation

    table = Table("condition", "accuracy", "95 % interval", "worst", "chips or draws", box=None, pad_edge=False)
    for c in Evaluation.load(path).conditions:
        chips = str(len(c.per_chip)) if len(c.per_chip) > 1 else ""
        table.add_row(c.name, f"{c.accuracy:.2%}", _interval(c.low, c.high), f"{c.worst:.2%}" if chips else "", chips)
    console.print(table)


def show_study(path: Path) -> None:
    """Print the tables of a robustness study."""
    from ..artifacts.robustness_study import Study
    from ..report.study_files import study_report

    report = study_report(Study.load(path))
    console.print(f"\n[bold]{report.title}[/]")
    console.print(report.about, markup=False, soft_wrap=True)
    show_tables(report.tables)


def train_command(
    experiment: Annotated[
        str, typer.Argument(help="Name of an experiment ('neuronsim list experiments') or a TOML file.")
    ],
    card: Annotated[Path | None, typer.Option(help="Train under the noise of this model card.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: build/runs/EXPERIMENT")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Run folder or checkpoint whose weights training starts from.")
    ] = None,
    data_dir: DataDir = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the experiment's seed.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Replaces the experiment's number of epochs.")] = None,
    jobs: Jobs = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is already in the folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network as a TOML experiment describes it; interrupted runs go on exactly where they stopped.

    Example: neuronsim train digits_quick
    """
    from neuronsim.training import train

    path = out or Path("build/runs") / Path(experiment).stem
    saved(
        "run",
        train(
            experiment,
            out=path,
            data_dir=data_dir,
            seed=seed,
            card=card,
            epochs=epochs,
            start=start,
            force=force,
            progress=not quiet,
            threads=jobs,
        ),
    )


def evaluate_command(
    run: Annotated[Path, typer.Argument(help="Run folder that 'neuronsim train' wrote.")],
    card: Annotated[Path | None, typer.Option(help="Model card whose circuit the network is put on.")] = None,
    chips: Annotated[int, typer.Option(min=2, help="Frozen mismatch draws.")] = 20,
    bits: Annotated[int | None, typer.Option(min=1, max=32, help="Weight resolution. Default: as trained.")] = None,
    noise_scale: Annotated[float, typer.Option(min=0, help="Multiplies the card's temporal noise.")] = 1.0,
    images: Annotated[int | None, typer.Option(min=1, help="Use only the first IMAGES test images.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Evaluation to write (.json). Default: evaluation.json in the run folder.")
    ] = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Accuracy of a trained network: clean, quantized, and on CHIPS chips under a card's frozen and temporal noise.

    Example: neuronsim evaluate build/runs/digits_quick --card build/pll_nlif_averaged/card.json
    """
    from neuronsim.training import evaluate

    path = evaluate(
        run,
        card=card,
        chips=chips,
        bits=bits,
        noise_scale=noise_scale,
        images=images,
        out=output_file(out) if out else None,
        data_dir=data_dir,
        seed=seed,
        progress=not quiet,
    )
    show_evaluation(path)
    saved("evaluation", path)


class StudyKind(StrEnum):
    """What ``robustness`` can study."""

    quantization = "quantization"
    snr = "snr"
    jitter = "jitter"
    card = "card"
    energy = "energy"


def robustness_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders that 'neuronsim train' wrote, of one data set.")],
    card: Annotated[Path | None, typer.Option(help="Model card; without one the study 'card' is left out.")] = None,
    only: Annotated[list[StudyKind] | None, typer.Option(help="Only this study (may be given several times).")] = None,
    chips: Annotated[int, typer.Option(min=2, help="Chips of the card: frozen mismatch draws.")] = 20,
    draws: Annotated[int, typer.Option(min=2, help="Draws of weight noise and of jitter at each level.")] = 5,
    points: Annotated[int, typer.Option(min=2, help="Levels of weight noise and of jitter.")] = 7,
    images: Annotated[int | None, typer.Option(min=1, help="Use only the first IMAGES test images.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and plots. Default: robustness/ in RUN.")] = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Accuracy of trained networks against weight resolution, weight noise, jitter and a card's noise; energy per inference.

    For each study one table, one plot (.png), and the data behind them (.json, .csv). Several RUNs are set side by side, on the
    same chips and draws; the first is the reference. A second call goes on where the first was interrupted.

    Example: neuronsim robustness build/runs/plain build/runs/aware --card build/pll_nlif_averaged/card.json
    """
    from neuronsim.training import stress

    written = stress(
        runs,
        card=card,
        only=[study.value for study in only or ()],
        chips=chips,
        draws=draws,
        levels=points,
        images=images,
        seed=seed,
        out=out,
        data_dir=data_dir,
        progress=not quiet,
        threads=jobs,
    )
    for path in written:
        show_study(path)
    console.print()
    if card is None and not only:
        console.print("without --card, the study 'card' was left out")
    for path in written:
        saved("study", path)
        saved("plot", path.with_suffix(".png"))
