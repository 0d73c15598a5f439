"""Paper 003 in one call: networks with and without the noise adaptor, converted, and their accuracy against time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuronsim.artifacts.atomic_write import output_errors
from neuronsim.artifacts.conversion_study import ConversionStudy, Converted, Difference, Mean
from neuronsim.errors import InputError
from neuronsim.progress import bar
from neuronsim.report import write_study_files
from neuronsim.statistics.student import difference, over_draws
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets.catalogue import DataSet, Images
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.low_latency.corrections import CORRECTIONS, Correction
from neuronsim.training.low_latency.experiment import ConversionExperiment, Schedule, conversion_experiment
from neuronsim.training.low_latency.lightning_module import accuracy
from neuronsim.training.low_latency.simulate import TIMES, SpikingNetwork
from neuronsim.training.low_latency.train import Trained, train_phase, training_pixels

from ..pass_store import Store

EXPERIMENTS = {"fashion-mnist": "fashion_mnist_cnn", "mnist": "mnist_cnn", "cifar10": "cifar10_resnet18"}
_PROGRAM = 1  # raised when the same checkpoint gives other numbers, so that old results are not taken for new ones
_BATCH = 100
_NOISE_SEED = 1_000_003
_CORRECTED_UNTIL = 32  # steps to which runs with a correction go


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One network to train and convert."""

    levels: int
    adaptor: bool
    seed: int


def reproduce(
    dataset: str = "fashion-mnist",
    *,
    experiment: ConversionExperiment | str | Path | None = None,
    levels: Sequence[int] = (2,),
    seeds: int = 3,
    corrections: bool = True,
    train_images: int | None = None,
    images: int | None = None,
    times: Sequence[int] = TIMES,
    quick: bool = False,
    out: Path | str = Path("build/noise-adaptor"),
    data_dir: Path | str | None = None,
    progress: bool = True,
    threads: int | None = None,
    command: str = "",
) -> Path:
    """Train with and without the noise adaptor (all else equal), convert, simulate; returns the study file (JSON) in ``out``.

    For each seed one full-precision network is trained and shared by all variants, so that differences are paired. For every p
    of ``levels``, accuracy after each of ``times`` from one simulation per network; for the first p also with negative spikes
    and with offset-spike calibration, up to 32 steps (``corrections`` False: not).

    ``experiment``: replaces the shipped one of ``dataset``; ``train_images``, ``images``: only the first so many training and
    test images; ``quick``: few images and epochs, to see that everything runs. Beside the study lie conversion.png, .md and
    .csv. Finished trainings and simulations are kept in ``out``: the same call goes on where it was interrupted.

    Raises InputError (bad argument, another experiment in ``out``), MissingToolError (no data set), DataError, OutputError.
    """
    chosen = _experiment(dataset, experiment, quick, train_images)
    _check(levels, seeds, images, times)
    if quick:
        images, times = min(images or 200, 200), [t for t in times if t <= _CORRECTED_UNTIL] or times
    loaded = data.load(chosen.data, data_dir)
    test = loaded.test.take(np.arange(min(images or len(loaded.test), len(loaded.test))))
    out = Path(out)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    store = Store(out / "simulations.progress")
    converted: list[Converted] = []
    n_weights = 0
    with use_threads(threads):
        for seed in range(seeds):
            seeded = chosen.model_copy(update={"seed": seed})
            start = train_phase(
                seeded, "pretraining", out=out / f"seed{seed}" / "pretrained", dataset=loaded, progress=progress
            )
            for variant in _variants(levels, seed):
                trained = _trained(seeded, variant, start, out, loaded, progress)
                n_weights = trained.network.n_weights
                wanted: Sequence[Correction] = CORRECTIONS if corrections and variant.levels == levels[0] else ("none",)
                for correction in wanted:
                    upto = [t for t in times if correction == "none" or t <= _CORRECTED_UNTIL] or times[:1]
                    result = _simulated(variant, trained, start, correction, tuple(upto), test, loaded, store, progress)
                    converted.append(result)
    means, differences = summary(converted)
    study = ConversionStudy(
        experiment=chosen.name,
        description=chosen.description,
        data=chosen.data,
        data_source=loaded.source,
        n_train=len(training_pixels(chosen, loaded)[1]),
        n_images=len(test),
        epochs=(chosen.pretraining.epochs, chosen.quantization.epochs),
        n_weights=n_weights,
        seeds=tuple(range(seeds)),
        quick=quick,
        command=command,
        converted=converted,
        means=means,
        differences=differences,
    )
    path = study.save(out / "conversion.json")
    write_study_files(study, out)
    return path


def summary(converted: Sequence[Converted]) -> tuple[list[Mean], list[Difference]]:
    """Means over the seeds, and paired differences with - without adaptor, per p, correction and time."""
    values: dict[tuple[int, str, int | None, bool], dict[int, float]] = {}
    for c in converted:
        for time, value in [(None, c.ann), *zip(c.times, c.accuracy, strict=True)]:
            values.setdefault((c.levels, c.correction, time, c.adaptor), {})[c.seed] = value
    means, differences = [], []
    for (levels, correction, time, adaptor), by_seed in values.items():
        mean, low, high = over_draws([by_seed[seed] for seed in sorted(by_seed)])
        place: dict[str, Any] = {"levels": levels, "correction": correction, "time": time, "n": len(by_seed)}
        means.append(Mean(**place, adaptor=adaptor, mean=mean, low=low, high=high))
        other = values.get((levels, correction, time, False))
        if adaptor and other and other.keys() == by_seed.keys():
            ordered = sorted(by_seed)
            mean, low, high = difference([by_seed[s] for s in ordered], [other[s] for s in ordered], paired=True)
            differences.append(Difference(**place, mean=mean, low=low, high=high))
    return means, differences


def _trained(
    seeded: ConversionExperiment, variant: Variant, start: Trained, out: Path, loaded: DataSet, progress: bool
) -> Trained:
    chosen = seeded.model_copy(update={"levels": variant.levels, "adaptor": variant.adaptor})
    name = f"p{variant.levels}-{'adaptor' if variant.adaptor else 'plain'}"
    folder = out / f"seed{variant.seed}" / name
    return train_phase(chosen, "quantization", out=folder, dataset=loaded, start=start, progress=progress)


def _simulated(
    variant: Variant,
    trained: Trained,
    start: Trained,
    correction: Correction,
    times: tuple[int, ...],
    test: Images,
    loaded: DataSet,
    store: Store,
    progress: bool,
) -> Converted:
    shared = [_PROGRAM, loaded.digest, len(test)]

    def ann() -> dict[str, Any]:
        noise = _NOISE_SEED if variant.adaptor else None
        return {
            "full": accuracy(start.network, test),
            "ann": accuracy(trained.network, test),
            "noisy": accuracy(trained.network, test, noise_seed=noise),
        }

    def spiking() -> dict[str, Any]:
        title = f"p = {variant.levels}{' adaptor' if variant.adaptor else ''}, seed {variant.seed}, {correction}"
        return simulate(trained, test, correction, times, title=title, progress=progress)

    still = store.result(["ann", trained.sha256, start.sha256, *shared], ann)
    moving = store.result(["spiking", trained.sha256, correction, list(times), *shared], spiking)
    return Converted(
        levels=variant.levels,
        adaptor=variant.adaptor,
        correction=correction,
        seed=variant.seed,
        full_precision=still["full"],
        ann=still["ann"],
        ann_noisy=still["noisy"],
        times=times,
        accuracy=tuple(moving["accuracy"]),
        spikes_per_neuron=moving["spikes_per_neuron"],
        checkpoint_sha256=trained.sha256,
    )


def simulate(
    trained: Trained,
    test: Images,
    correction: Correction,
    times: Sequence[int],
    *,
    title: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Accuracy after each of ``times``, and spikes per neuron, image and step. On a GPU where torch sees one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = SpikingNetwork(trained.network, correction=correction).to(device)
    pixels, labels = as_pixels(test), torch.from_numpy(test.labels)
    right = torch.zeros(len(times), dtype=torch.int64)
    fired = neurons = done = 0
    with bar(title, len(test), shown=progress) as shown:
        for part, truth in zip(pixels.split(_BATCH), labels.split(_BATCH), strict=True):
            decided = network.potentials(part.to(device), times).argmax(dim=2).cpu()
            right += (decided == truth).sum(dim=1)
            fired += sum(layer.fired for layer in network.neurons)
            neurons = sum(layer.n_neurons for layer in network.neurons)
            done += len(truth)
            shown.advance(len(truth))
            shown.note(f"T = {times[-1]}: {int(right[-1]) / done:.2%}")
    return {
        "accuracy": [int(count) / len(test) for count in right],
        "spikes_per_neuron": fired / (neurons * len(test) * times[-1]),
    }


def _variants(levels: Sequence[int], seed: int) -> Iterator[Variant]:
    for p in levels:
        for adaptor in (False, True):
            yield Variant(levels=p, adaptor=adaptor, seed=seed)


def _experiment(
    dataset: str, experiment: ConversionExperiment | str | Path | None, quick: bool, train_images: int | None
) -> ConversionExperiment:
    if experiment is None:
        if dataset not in EXPERIMENTS:
            raise InputError(f"data = '{dataset}': must be one of {', '.join(EXPERIMENTS)}, or give an experiment")
        experiment = EXPERIMENTS[dataset]
    chosen = experiment if isinstance(experiment, ConversionExperiment) else conversion_experiment(experiment)
    if train_images is not None:
        if train_images < 2:
            raise InputError(f"train_images = {train_images} is out of range: at least 2")
        chosen = chosen.model_copy(update={"train_images": train_images})
    if quick:
        short: dict[str, Schedule] = {
            name: chosen.schedule(name).model_copy(update={"epochs": 1}) for name in ("pretraining", "quantization")
        }
        chosen = chosen.model_copy(update={"train_images": min(chosen.train_images or 1000, 1000), **short})
    return chosen


def _check(levels: Sequence[int], seeds: int, images: int | None, times: Sequence[int]) -> None:
    if seeds < 2:
        raise InputError(f"seeds = {seeds} is out of range: at least 2, an interval needs two")
    if not levels or min(levels) < 1 or len(set(levels)) < len(levels):
        raise InputError(f"levels = {list(levels)}: must be different whole numbers from 1 on")
    if images is not None and images < 1:
        raise InputError(f"images = {images} is out of range: at least 1")
    if not times or times[0] < 1 or list(times) != sorted(set(times)):
        raise InputError(f"times = {list(times)}: must be rising numbers of steps from 1 on")
