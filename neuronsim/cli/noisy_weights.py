"""``neuronsim reproduce``: the source papers' experiments, each in one command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import DataDir, Jobs, Quiet, Seed, console, saved, show_tables, typed_command
from .noise_adaptor import noise_adaptor_command

reproduce_app = typer.Typer(
    help="Repeat the experiments of a source paper; its values stand beside ours.", no_args_is_help=True
)


@reproduce_app.callback()
def _root() -> None:
    """Repeat the experiments of a source paper; its values stand beside ours."""


reproduce_app.command("noise-adaptor")(noise_adaptor_command)


class Architecture(StrEnum):
    """Networks of paper 000."""

    fc = "fc"
    cnn = "cnn"


class InputTrains(StrEnum):
    """How pixels become spikes."""

    bernoulli = "bernoulli"
    deterministic = "deterministic"
    constant = "constant"


class NoiseLaw(StrEnum):
    """What the standard deviation of a weight's noise follows."""

    proportional = "proportional"
    fixed = "fixed"
    sqrt = "sqrt"


class KernelNoise(StrEnum):
    """Whether positions of a convolution share their noise."""

    unrolled = "unrolled"
    shared = "shared"


class ResetMode(StrEnum):
    """What a spike leaves on the membrane."""

    rest = "rest"
    subtract = "subtract"


class CardJitter(StrEnum):
    """What the interval jitter of a card acts on."""

    membrane = "membrane"
    interval = "interval"


_QUICK_IMAGES, _QUICK_EPOCHS, _QUICK_STEPS = 200, 3, 300


@reproduce_app.command("noisy-weights")
def noisy_weights_command(
    only: Annotated[
        list[Architecture] | None,
        typer.Option(help="Only this network: fc (784-1200-1200-10) or cnn (28x28-12c5-2s-64c5-2s-10o)."),
    ] = None,
    networks: Annotated[int, typer.Option(min=1, help="Networks trained from different seeds.")] = 5,
    trials: Annotated[int, typer.Option(min=1, help="Trials of noise for each network.")] = 5,
    images: Annotated[int | None, typer.Option(min=1, help="Use only the first IMAGES test images.")] = None,
    steps: Annotated[int, typer.Option(min=10, help="Steps of each inference (1 ms each in the paper).")] = 1000,
    level: Annotated[
        list[float] | None, typer.Option(min=0, help="Noise level in percent (several). Default: 0 20 40 60 80 100.")
    ] = None,
    scale: Annotated[
        list[float] | None, typer.Option(min=0.01, help="Threshold scale (several). Default: 0.2 0.5 1 2.")
    ] = None,
    encoding: Annotated[InputTrains, typer.Option(help="Input spikes.")] = InputTrains.bernoulli,
    epochs: Annotated[int | None, typer.Option(min=1, help="Training epochs. Default: table I of the paper.")] = None,
    repeats: Annotated[
        int, typer.Option(min=0, help="Inferences per image for the signal-to-noise ratio; 0: none.")
    ] = 32,
    card: Annotated[Path | None, typer.Option(help="Rate card on whose neurons the networks are put besides.")] = None,
    chips: Annotated[
        int,
        typer.Option(
            min=1,
            help="Chips: draws of frozen noisy weights for each network, the same on both sides, "
            "and of the card's mismatch.",
        ),
    ] = 20,
    chip_images: Annotated[
        int, typer.Option(min=1, help="Images that a chip with frozen noise is asked about.")
    ] = 1000,
    law: Annotated[
        NoiseLaw,
        typer.Option(help="Standard deviation of the noise: proportional to w, fixed (rms of w), sqrt of |w|."),
    ] = NoiseLaw.proportional,
    kernels: Annotated[
        KernelNoise,
        typer.Option(
            help="Synapses of a convolution: one set for each position, or one that all share (temporal noise: minutes per 100 "
            "images)."
        ),
    ] = KernelNoise.unrolled,
    reset: Annotated[ResetMode, typer.Option(help="After a spike: to rest (the paper), or less the threshold.")] = (
        ResetMode.rest
    ),
    precharge: Annotated[
        float, typer.Option(min=0, max=0.99, help="Membrane at the start, as a fraction of the threshold.")
    ] = 0.0,
    jitter: Annotated[
        CardJitter,
        typer.Option(help="The card's interval jitter: as noise of the membrane, or of each interval."),
    ] = CardJitter.membrane,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"One network, one trial, {_QUICK_IMAGES} images, {_QUICK_STEPS} steps, {_QUICK_EPOCHS} epochs, "
            "noise 0 and 100 %, no threshold scales: minutes.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build/noisy-weights"),
    data_dir: DataDir = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Paper 000: robustness to noisy synaptic weights, spiking networks against analog ones (MNIST).

    Trains both networks, converts them, and measures accuracy (figures 2, 3), convergence time (tables II, III) and threshold
    scales (figures 4, 5); beside it frozen noise on both sides, and signal-to-noise against spike count. Every finished pass is
    kept: the same command goes on where it was interrupted, larger --networks or --trials add to it.

    Example: neuronsim reproduce noisy-weights --networks 1 --trials 2 --images 1000
    """
    from neuronsim.training.studies.noisy_weights.passes import LEVELS, SCALES
    from neuronsim.training.studies.noisy_weights.run import reproduce_noisy_weights

    levels = [value / 100 for value in level] if level else list(LEVELS)
    scales = list(scale) if scale else list(SCALES)
    if quick:
        networks, trials, images = 1, 1, min(images or _QUICK_IMAGES, _QUICK_IMAGES)
        steps, epochs = min(steps, _QUICK_STEPS), epochs or _QUICK_EPOCHS
        levels, scales, repeats = (
            ([0.0, 1.0] if not level else levels),
            ([1.0] if not scale else scales),
            min(repeats, 8),
        )
    path = reproduce_noisy_weights(
        out,
        architectures=[name.value for name in only or list(Architecture)],
        networks=networks,
        trials=trials,
        images=images,
        steps=steps,
        levels=levels,
        scales=scales,
        encoding=encoding.value,
        epochs=epochs,
        repeats=repeats,
        card=card,
        chips=min(chips, 3) if quick else chips,
        chip_images=chip_images,
        law=law.value,
        kernels=kernels.value,
        reset=reset.value,
        precharge=precharge,
        jitter=jitter.value,
        seed=seed,
        data_dir=data_dir,
        progress=not quiet,
        threads=jobs,
        command=typed_command(),
    )
    show_noisy_weights(path)
    saved("reproduction", path)
    for picture in sorted(path.parent.glob("*.png")):
        saved("plot", picture)


def show_noisy_weights(path: Path) -> None:
    """Print the tables of a study of noisy weights."""
    from ..artifacts.noisy_weights_study import NoisyWeights
    from ..report.study_files import study_report

    report = study_report(NoisyWeights.load(path))
    console.print(f"\n[bold]{report.title}[/]")
    console.print(report.about, markup=False, soft_wrap=True)
    show_tables(report.tables)
    console.print()
