"""``neuronsim reproduce noise-adaptor``: quantized networks converted to spiking ones, with and without noise in training."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import DataDir, Jobs, Quiet, console, saved, show_tables, typed_command


class AdaptorData(StrEnum):
    """Data sets with a shipped experiment."""

    fashion_mnist = "fashion-mnist"
    mnist = "mnist"
    cifar10 = "cifar10"


def noise_adaptor_command(
    data: Annotated[
        AdaptorData, typer.Option(help="Data set: a small CNN; cifar10: ResNet-18, for a GPU.")
    ] = AdaptorData("fashion-mnist"),
    seeds: Annotated[int, typer.Option(min=2, help="Networks per variant; intervals are over them.")] = 3,
    levels: Annotated[
        list[int] | None,
        typer.Option(
            "--levels",
            "-p",
            min=1,
            help="p: activations take the p + 1 values 0, s ... p s (may be given several times). Default: 2.",
        ),
    ] = None,
    corrections: Annotated[
        bool,
        typer.Option(
            help="Also with negative spikes and with offset-spike calibration, for the first p, up to T = 32."
        ),
    ] = True,
    experiment: Annotated[str | None, typer.Option(help="A TOML file in place of the shipped experiment.")] = None,
    train_images: Annotated[
        int | None, typer.Option(min=2, help="Use only the first TRAIN_IMAGES training images.")
    ] = None,
    images: Annotated[int | None, typer.Option(min=1, help="Use only the first IMAGES test images.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One epoch on 1000 images, T up to 32: to see that it runs.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results. Default: build/noise-adaptor/DATA.")] = None,
    data_dir: DataDir = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Paper 003: accuracy of converted networks for T = 1 ... 256 steps, trained with and without the noise adaptor.

    For every seed one full-precision network with max-pools is trained, then two quantized ones with average-pools from it, with
    and without noise before rounding, all else equal. Converted to integrate-and-fire neurons, one simulation gives all T.
    Written: conversion.json, .csv, .md and .png. A second call goes on where the first was interrupted.

    Example: neuronsim reproduce noise-adaptor --quick
    """
    from neuronsim.training.studies.noise_adaptor.run import reproduce

    folder = out or Path("build/noise-adaptor") / (f"{data.value}-quick" if quick else data.value)
    path = reproduce(
        data.value,
        experiment=experiment,
        levels=tuple(levels or (2,)),
        seeds=seeds,
        corrections=corrections,
        train_images=train_images,
        images=images,
        quick=quick,
        out=folder,
        data_dir=data_dir,
        progress=not quiet,
        threads=jobs,
        command=typed_command(),
    )
    show_conversion(path)
    saved("study", path)
    saved("plot", path.with_suffix(".png"))


def show_conversion(path: Path) -> None:
    """Print the tables of a conversion study."""
    from ..artifacts.conversion_study import ConversionStudy
    from ..report.study_files import study_report

    report = study_report(ConversionStudy.load(path))
    console.print(f"\n[bold]{report.title}[/]")
    console.print(report.about, markup=False, soft_wrap=True)
    show_tables(report.tables)
