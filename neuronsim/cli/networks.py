"""``neuronsim train`` and ``neuronsim evaluate``: from card to accuracy."""

from pathlib import Path
from typing import Annotated

import typer

from .common import DataDir, Jobs, Quiet, Seed, console, output_file, plain_table, saved


def _interval(low: float | None, high: float | None) -> str:
    return "none: one chip" if low is None or high is None else f"{low:.2%} to {high:.2%}"


def show_evaluation(path: Path) -> None:
    """Print the accuracies of an evaluation file."""
    from ..artifacts.evaluation import Evaluation

    rows = []
    for c in Evaluation.load(path).conditions:
        several = (f"{c.worst:.2%}", str(len(c.per_chip))) if len(c.per_chip) > 1 else ("", "")
        rows.append((c.name, f"{c.accuracy:.2%}", _interval(c.low, c.high), *several))
    console.print(plain_table(("condition", "accuracy", "95 % interval", "worst", "chips or draws"), rows))


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
    """Train a network as a TOML experiment describes it; interrupted runs resume exactly where they stopped.

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
