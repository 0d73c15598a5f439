"""``neuronsim reproduce noisy-weights``: paper 000 in one command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from neuronsim.artifacts.atomic_write import output_errors, sha256_of
from neuronsim.artifacts.noisy_weights_study import Architecture, NoisyWeights, SnrPoint, Trained
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.errors import InputError
from neuronsim.progress import bar
from neuronsim.report import write_study_files
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.datasets.catalogue import DataSet, load
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.encoding import Encoding
from neuronsim.training.rate.noise import Kernels, Law
from neuronsim.training.rate.on_card import Jitter, as_rate_card, circuit_neuron

from ..pass_store import Store
from .convergence import band_for
from .networks import RECIPES, ann_accuracy, pixels, train_ann
from .passes import LEVELS, SCALES, Cell, Settings, Subject, card_cells, cells, compute, images_of, key_of, snr_counts
from .rows import chip_differences, rows_of, snr_point

_CURVE_POINTS = 120


def reproduce_noisy_weights(
    out: Path | str = Path("build/noisy-weights"),
    *,
    architectures: Sequence[Architecture] = ("fc", "cnn"),
    networks: int = 5,
    trials: int = 5,
    images: int | None = None,
    steps: int = 1000,
    levels: Sequence[float] = LEVELS,
    scales: Sequence[float] = SCALES,
    encoding: Encoding = "bernoulli",
    epochs: int | None = None,
    repeats: int = 32,
    card: RateCard | Path | str | None = None,
    chips: int = 20,
    chip_images: int = 1000,
    law: Law = "proportional",
    kernels: Kernels = "unrolled",
    reset: Literal["rest", "subtract"] = "rest",
    precharge: float = 0.0,
    jitter: Jitter = "membrane",
    seed: int = 0,
    data_dir: Path | str | None = None,
    progress: bool = True,
    threads: int | None = None,
    command: str = "",
) -> Path:
    """Train the networks of paper 000, convert them, and measure both sides under noisy weights. Returns the result file (JSON).

    ``networks`` trained from different seeds and ``trials`` of noise each (5 x 5 in the paper); ``images``: only the first test
    images; ``levels``: noise over weight, as fractions; ``scales``: threshold scales of the first hidden layer; ``epochs``
    replaces those of table I; ``repeats``: inferences per image for the signal-to-noise ratio (0: left out);
    ``chips``: draws of frozen noise, the same on both sides, on the first ``chip_images`` images;
    ``card``: a rate card on whose neurons the networks are put besides, ``chips`` chips with frozen mismatch and temporal
    ``jitter`` (:mod:`training.rate.on_card`). ``law`` and ``kernels`` of the noise (:class:`WeightNoise`), ``reset`` and
    ``precharge`` of the neurons: by default the paper's.

    ``out`` gets noisy-weights.json, tables (.csv, .md), plots (.png), the checkpoints, and every finished pass: the same command
    goes on where it was interrupted, and more trials or networks add to those that are there.

    Raises InputError for an argument out of range, MissingToolError without MNIST, OutputError.
    """
    levels, scales = tuple(dict.fromkeys(levels)), tuple(dict.fromkeys(scales))
    _check(architectures, networks, trials, images, steps, levels, scales, repeats, seed, chips, chip_images)
    for name, value, known in (
        ("law", law, get_args(Law)), ("kernels", kernels, get_args(Kernels)), ("reset", reset, ("rest", "subtract")),
        ("jitter", jitter, get_args(Jitter)),
    ):  # fmt: skip
        if value not in known:
            raise InputError(f"{name} = '{value}' must be one of {', '.join(known)}")
    if not 0 <= precharge < 1:
        raise InputError(f"precharge = {precharge:g} is out of range [0, 1): a fraction of the threshold")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a folder")
    rate_card = None if card is None else as_rate_card(card)
    settings = Settings(
        steps=steps, encoding=encoding, seed=seed, card=rate_card, chip_images=chip_images, law=law, kernels=kernels,
        reset=reset, precharge=precharge, jitter=jitter,
    )  # fmt: skip
    step_s = None if rate_card is None else circuit_neuron(rate_card).step_s
    data = load("mnist", data_dir)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    store = Store(out / "passes.progress")
    torch_threads = torch.get_num_threads()
    with use_threads(threads):
        subjects: dict[tuple[str, int], Subject] = {}
        trained = []
        for architecture in architectures:
            for number in range(networks):
                # Only training profits from torch's own threads.
                torch.set_num_threads(threads or torch_threads)
                subject, about = _subject(architecture, seed + number, data, images, epochs, out, store, progress)
                torch.set_num_threads(1)
                subjects[architecture, number] = subject
                trained.append(about)
        plan = cells(tuple(architectures), networks, trials, levels, scales, chips, kernels)
        if rate_card is not None:
            plan += card_cells(tuple(architectures), networks, chips)
        results = _passes(plan, subjects, store, settings, progress)
        snr = _snr(subjects, store, repeats, settings, progress)
    n_images, shown = len(next(iter(subjects.values())).labels), _curve_steps(steps)
    as_in_paper = not settings.changed
    study = NoisyWeights(
        command=command,
        data=data.source,
        n_images=n_images,
        steps=steps,
        trials=trials,
        encoding=encoding,
        seed=seed,
        band=band_for(n_images),
        neuron=settings.neuron.model_dump(),
        card=rate_card.neuron if rate_card else None,
        card_digest=rate_card.content_digest() if rate_card else None,
        card_edited=rate_card.edited if rate_card else False,
        step_s=step_s,
        curve_steps=shown,
        networks=trained,
        rows=rows_of(plan, results, shown, n_images, as_in_paper),
        snr=snr,
        frozen=chip_differences(plan, results),
        law=law,
        kernels=kernels,
        jitter=jitter,
    )
    path = study.save(out / "noisy-weights.json")
    write_study_files(study, out)
    return path


def _check(
    architectures: Sequence[str],
    networks: int,
    trials: int,
    images: int | None,
    steps: int,
    levels: Sequence[float],
    scales: Sequence[float],
    repeats: int,
    seed: int,
    chips: int,
    chip_images: int,
) -> None:
    known = get_args(Architecture)
    for name in architectures:
        if name not in known:
            raise InputError(f"network '{name}' must be one of {', '.join(known)}")
    for name, value, least in (
        ("networks", networks, 1),
        ("trials", trials, 1),
        ("images", images, 1),
        ("steps", steps, 10),
        ("repeats", repeats, 0),
        ("seed", seed, 0),
        ("chips", chips, 1),
        ("chip_images", chip_images, 1),
    ):
        if value is not None and value < least:
            raise InputError(f"{name} = {value} is out of range: at least {least}")
    for name, values, least in (("level", levels, 0.0), ("scale", scales, 0.01)):
        if not values or any(not (math.isfinite(v) and least <= v <= 100) for v in values):
            raise InputError(f"{name}s = {list(values)}: fractions in [{least:g}, 100] are needed, 1 is 100 %")


def _subject(
    architecture: Architecture,
    seed: int,
    data: DataSet,
    images: int | None,
    epochs: int | None,
    out: Path,
    store: Store,
    shown: bool,
) -> tuple[Subject, Trained]:
    recipe = RECIPES[architecture]
    if epochs is not None:
        recipe = recipe.model_copy(update={"epochs": epochs})
    with bar(f"train {architecture}, seed {seed}", recipe.epochs, shown=shown) as moving:

        def advanced(done: int, loss: float) -> None:
            moving.move(done, recipe.epochs)
            moving.note(f"loss {loss:.4f}")

        network = train_ann(recipe, data, seed, out / f"{architecture}-{seed}-{recipe.epochs}.ckpt", advanced)
    test, labels = pixels(data.test), torch.from_numpy(data.test.labels)
    digest = sha256_of(b"".join(weight.detach().numpy().tobytes() for weight in network.parameters()))

    def measure() -> dict[str, Any]:
        everything = torch.cat([pixels(data.train), pixels(data.validation)])
        return {"largest": largest_inputs(network, everything), "accuracy": ann_accuracy(network, test, labels)}

    measured = store.result(["network", digest, data.digest], measure)
    largest = [float(value) for value in measured["largest"]]
    take = len(test) if images is None else min(images, len(test))
    subject = Subject(
        architecture=architecture,
        seed=seed,
        network=network,
        largest=largest,
        digest=digest,
        images=test[:take],
        labels=labels[:take],
        data_digest=data.digest,
    )
    spiking = convert(network, (28, 28, 1), largest)
    about = Trained(
        architecture=architecture,
        seed=seed,
        epochs=recipe.epochs,
        accuracy=float(measured["accuracy"]),
        thresholds=[float(theta[0]) for theta in spiking.thresholds],
        weights_sha256=digest,
    )
    return subject, about


def _passes(
    plan: list[Cell],
    subjects: dict[tuple[str, int], Subject],
    store: Store,
    settings: Settings,
    shown: bool,
) -> list[dict[str, Any]]:
    results = []
    n = len(next(iter(subjects.values())).labels)
    # An ANN's pass costs next to nothing: the bar counts images through spiking networks.
    weights = [images_of(cell, n, settings) if cell.side == "snn" else 0 for cell in plan]
    with bar("noisy weights", sum(weights), shown=shown) as moving:
        for cell, weight in zip(plan, weights, strict=True):
            subject = subjects[cell.architecture, cell.network]
            key = key_of(cell, subject, settings)
            moving.note(f"{cell.architecture} {cell.side} {cell.noise} {cell.level:.0%} x{cell.scale:g}")
            if store.known(key):
                moving.advance(weight)
            results.append(store.result(key, lambda c=cell, s=subject: compute(c, s, settings, moving.advance)))
    return results


def _snr(
    subjects: dict[tuple[str, int], Subject], store: Store, repeats: int, settings: Settings, shown: bool
) -> list[SnrPoint]:
    if repeats < 2:
        return []
    steps, seed = settings.steps, settings.seed
    lengths = [int(t) for t in np.unique(np.geomspace(min(25, steps), steps, 6).round())]
    kinds: tuple[Literal["temporal", "frozen"], ...] = ("temporal", "frozen")
    found = []
    chosen = [subject for (_, number), subject in subjects.items() if number == 0]
    with bar("signal to noise", len(chosen) * 2 * len(lengths), shown=shown) as moving:
        for subject in chosen:
            for kind in kinds:
                for length in lengths:
                    key = ["snr", kind, length, repeats, seed, subject.digest, subject.data_digest, len(subject.labels)]
                    key += settings.changed
                    counts = store.result(
                        key, lambda s=subject, k=kind, n=length: snr_counts(s, k, n, repeats, settings)
                    )["counts"]
                    moving.advance()
                    found.append(snr_point(subject.architecture, kind, length, np.array(counts, float)))
    return [point for point in found if point is not None]


def _curve_steps(steps: int) -> list[int]:
    return [int(t) for t in np.unique(np.geomspace(1, steps, _CURVE_POINTS).round())]
