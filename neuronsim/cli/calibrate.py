"""``neuronsim calibrate``: from dataset to model card."""

from pathlib import Path
from typing import Annotated

import typer

from .common import Seed, console, output_file, saved


def show_card(path: Path) -> None:
    """Print a card's quality and what is not fitted."""
    from .. import ModelCard, TTFSCard

    card = ModelCard.load(path)
    quality = card.quality
    console.print(
        f"held-out error: median {100 * quality.median_error:.2g} %, 95th percentile {100 * quality.p95_error:.2g} % "
        f"({quality.n_held_out} runs not used in the fit)",
        soft_wrap=True,
    )
    if quality.median_over_target is not None and quality.p95_over_target is not None:
        resolution = card.timing_noise.resolution_s if isinstance(card, TTFSCard) else None
        grid = "" if resolution is None else f"; the output is sampled every {resolution.value:.4g} s"
        met = quality.median_over_target <= 1 and quality.p95_over_target <= 1
        console.print(
            f"[{'green' if met else 'yellow'}]targets[/] (median 1 % or half a sampling period, 95th percentile 3 % or one "
            f"period): {quality.median_over_target:.2g} and {quality.p95_over_target:.2g} of what is allowed{grid}",
            soft_wrap=True,
        )
    if quality.coverage is not None:
        c = quality.coverage
        console.print(
            f"predicted 90 % interval holds {100 * c.value:.3g} % [{100 * c.low:.3g}, {100 * c.high:.3g}] of "
            f"{quality.n_coverage} held-out runs ({str(quality.coverage_of).replace('_', '-')})",
            soft_wrap=True,
            markup=False,
        )
    for name, why in card.not_fitted.items():
        console.print(f"[yellow]not fitted[/] {name}: {why}", soft_wrap=True)


def calibrate_command(
    dataset: Annotated[Path, typer.Argument(help="Dataset (.nc) that 'neuronsim characterize' wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="Card to write (.json). Default: card.json beside the dataset.")
    ] = None,
    held_out: Annotated[
        float, typer.Option(help="Fraction of the runs that the fit does not see and its error is measured on.")
    ] = 0.3,
    seed: Seed = 0,
) -> None:
    """Fit a model card to a dataset: kernel, weights, noise and mismatch with 95 % intervals and held-out error.

    Example: neuronsim calibrate build/pll_nlif_averaged/pll_nlif_averaged.nc
    """
    from .. import calibrate
    from ..report import levels_near, write_datasheet

    path = output_file(out or dataset.with_name("card.json"), dataset)
    with console.status(f"calibrate {dataset.name}"):
        card = calibrate(dataset, out=path, seed=seed, held_out=held_out)
    saved("card", path)
    show_card(path)
    levels = levels_near(dataset, card.neuron)
    saved("datasheet", write_datasheet(dataset, dataset.with_suffix(".html"), card=card, levels=levels))
