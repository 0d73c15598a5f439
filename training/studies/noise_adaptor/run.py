"""Paper 003 in one call: networks with and without the noise adaptor, converted, and their accuracy against time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from neuronsim.artifacts.conversion_study import ConversionStudy, Converted, Difference, Mean
from neuronsim.progress import bar
from neuronsim.statistics.student import difference, over_draws
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets.catalogue import DataSet, Images
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.low_latency.corrections import CORRECTIONS, Correction
from neuronsim.training.low_latency.lightning_module import accuracy
from neuronsim.training.low_latency.simulate import SpikingNetwork
from neuronsim.training.low_latency.train import Trained, train_phase, training_pixels
from neuronsim.training.pass_store import Store
from neuronsim.training.seeds import checked_seed

from .plan import NoiseAdaptorPlan

_PROGRAM = 1  # raised when the same checkpoint gives other numbers, so that old results are not taken for new ones
_BATCH = 100
_NOISE_SEED = 1_000_003
_CORRECTED_UNTIL = 32  # steps to which runs with a correction go


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """What every part of the study works with."""

    plan: NoiseAdaptorPlan
    data: DataSet
    test: Images
    store: Store
    progress: bool


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """One quantized network, and the pretrained one that it started from."""

    levels: int
    adaptor: bool
    seed: int
    start: Trained
    trained: Trained


def reproduce_noise_adaptor(
    plan: NoiseAdaptorPlan | None = None,
    out: Path | str = Path("build/noise-adaptor"),
    *,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    data_dir: Path | str | None = None,
    command: str = "",
) -> Path:
    """Train with and without the noise adaptor (all else equal), convert, simulate. Returns the study file (JSON).

    For every p of the plan, accuracy after each of its times from one simulation per network. ``seed``: of the first network,
    the others follow it. ``jobs``: threads. ``out`` also gets the plan, and every finished training and simulation: an
    interrupted call resumes.

    Raises InputError (no such experiment, another experiment in ``out``), MissingToolError (no data set), DataError, OutputError.
    """
    plan, out = plan or NoiseAdaptorPlan(), Path(out)
    seeds = tuple(range(checked_seed(seed), seed + plan.seeds))
    experiment, whole = plan.chosen_experiment(), plan.changed(epochs=None).chosen_experiment()
    loaded = data.load(experiment.data, data_dir)
    test = loaded.test.first(plan.images)
    store = Store(out / "simulations.progress")
    setup = _Setup(plan=plan, data=loaded, test=test, store=store, progress=progress)
    plan.save(out / "plan.toml")
    converted = []
    n_weights = 0
    with use_threads(jobs):
        for number in seeds:
            for variant in _variants(setup, number, out / f"seed{number}"):
                n_weights = variant.trained.network.n_weights
                corrected = plan.corrections and variant.levels == plan.levels[0]
                for correction in CORRECTIONS if corrected else CORRECTIONS[:1]:
                    converted.append(_converted(variant, correction, setup))
    means, differences = summary(converted)
    study = ConversionStudy(
        experiment=experiment.name,
        description=experiment.description,
        data=experiment.data,
        data_source=loaded.source,
        n_train=len(training_pixels(experiment, loaded)[1]),
        n_images=len(test),
        epochs=(experiment.pretraining.epochs, experiment.quantization.epochs),
        n_weights=n_weights,
        seeds=seeds,
        quick=experiment.quantization.epochs < whole.quantization.epochs,
        command=command,
        converted=converted,
        means=means,
        differences=differences,
    )
    return study.save(out / "conversion.json")


def summary(converted: Sequence[Converted]) -> tuple[list[Mean], list[Difference]]:
    """Means over the seeds, and paired differences with - without adaptor, per p, correction and time."""
    values: dict[tuple[int, str, int | None, bool], dict[int, float]] = {}
    for c in converted:
        for time, value in [(None, c.ann), *zip(c.times, c.accuracy, strict=True)]:
            values.setdefault((c.levels, c.correction, time, c.adaptor), {})[c.seed] = value
    means, differences = [], []
    for (levels, correction, time, adaptor), by_seed in values.items():
        ordered = sorted(by_seed)
        mean, low, high = over_draws([by_seed[seed] for seed in ordered])
        about: dict[str, Any] = {"levels": levels, "correction": correction, "time": time, "n": len(by_seed)}
        means.append(Mean(**about, adaptor=adaptor, mean=mean, low=low, high=high))
        other = values.get((levels, correction, time, False))
        if adaptor and other and other.keys() == by_seed.keys():
            mean, low, high = difference([by_seed[s] for s in ordered], [other[s] for s in ordered], paired=True)
            differences.append(Difference(**about, mean=mean, low=low, high=high))
    return means, differences


def _variants(setup: _Setup, seed: int, folder: Path) -> Iterator[_Variant]:
    """The quantized networks of one seed, all trained from the same full-precision network."""
    experiment = setup.plan.chosen_experiment().model_copy(update={"seed": seed})
    shared: dict[str, Any] = {"dataset": setup.data, "progress": setup.progress}
    start = train_phase(experiment, "pretraining", out=folder / "pretrained", **shared)
    for levels in setup.plan.levels:
        for adaptor in (False, True):
            chosen = experiment.model_copy(update={"levels": levels, "adaptor": adaptor})
            name = f"p{levels}-{'adaptor' if adaptor else 'plain'}"
            trained = train_phase(chosen, "quantization", out=folder / name, start=start, **shared)
            yield _Variant(levels=levels, adaptor=adaptor, seed=seed, start=start, trained=trained)


def _converted(variant: _Variant, correction: Correction, setup: _Setup) -> Converted:
    trained, start, test = variant.trained, variant.start, setup.test
    times = setup.plan.times
    if correction != "none":
        times = tuple(time for time in times if time <= _CORRECTED_UNTIL) or times[:1]
    shared = [_PROGRAM, setup.data.digest, len(test)]

    def ann() -> dict[str, Any]:
        noise = _NOISE_SEED if variant.adaptor else None
        return {
            "full": accuracy(start.network, test),
            "ann": accuracy(trained.network, test),
            "noisy": accuracy(trained.network, test, noise_seed=noise),
        }

    def spiking() -> dict[str, Any]:
        title = f"p = {variant.levels}{' adaptor' if variant.adaptor else ''}, seed {variant.seed}, {correction}"
        return simulate(trained, test, correction, times, title=title, progress=setup.progress)

    analog = setup.store.result(["ann", trained.sha256, start.sha256, *shared], ann)
    simulated = setup.store.result(["spiking", trained.sha256, correction, list(times), *shared], spiking)
    return Converted(
        levels=variant.levels,
        adaptor=variant.adaptor,
        correction=correction,
        seed=variant.seed,
        full_precision=analog["full"],
        ann=analog["ann"],
        ann_noisy=analog["noisy"],
        times=times,
        accuracy=tuple(simulated["accuracy"]),
        spikes_per_neuron=simulated["spikes_per_neuron"],
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
    with bar(title, len(test), shown=progress) as moving:
        for part, truth in zip(pixels.split(_BATCH), labels.split(_BATCH), strict=True):
            decided = network.potentials(part.to(device), times).argmax(dim=2).cpu()
            right += (decided == truth).sum(dim=1)
            fired += sum(layer.fired for layer in network.neurons)
            neurons = sum(layer.n_neurons for layer in network.neurons)
            done += len(truth)
            moving.advance(len(truth))
            moving.note(f"T = {times[-1]}: {int(right[-1]) / done:.2%}")
    return {
        "accuracy": [int(count) / len(test) for count in right],
        "spikes_per_neuron": fired / (neurons * len(test) * times[-1]),
    }
