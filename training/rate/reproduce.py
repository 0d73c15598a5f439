"""``neuronsim reproduce noisy-weights``: paper 000 in one command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from scipy import stats

from neuronsim.card import RateCard
from neuronsim.errors import InputError
from neuronsim.files import output_errors, sha256_of
from neuronsim.noisy_weights import Architecture, NoisyWeights, Row, SnrPoint, Spread, Trained, published
from neuronsim.progress import bar
from neuronsim.report.noisy_weights import write_files

from ..data import DataSet, load
from ..intervals import over_draws
from ..robustness.store import Store
from ..ttfs.parallel import use_threads
from .ann import RECIPES, ann_accuracy, pixels, train_ann
from .convergence import band_for, converge
from .conversion import PAPER_NEURON, convert, largest_inputs
from .encoding import Encoding
from .on_card import as_rate_card, circuit_neuron
from .study import LEVELS, SCALES, SNR_LEVEL, Cell, Subject, card_cells, cells, compute, key_of, snr_counts

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
    ``card``: a rate card on whose neurons the networks are put besides,
    ``chips`` chips with frozen mismatch and temporal jitter (:mod:`training.rate.on_card`).

    ``out`` gets noisy-weights.json, tables (.csv, .md), plots (.png), the checkpoints, and every finished pass: the same command
    goes on where it was interrupted, and more trials or networks add to those that are there.

    Raises InputError for an argument out of range, MissingToolError without MNIST, OutputError.
    """
    levels, scales = tuple(dict.fromkeys(levels)), tuple(dict.fromkeys(scales))
    _check(architectures, networks, trials, images, steps, levels, scales, repeats, seed)
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a folder")
    rate_card = None if card is None else as_rate_card(card)
    if chips < 1:
        raise InputError(f"chips = {chips} is out of range: at least 1")
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
        plan = cells(tuple(architectures), networks, trials, levels, scales)
        if rate_card is not None:
            plan += card_cells(tuple(architectures), networks, chips)
        results = _passes(plan, subjects, store, steps, encoding, seed, rate_card, progress)
        snr = _snr(subjects, store, steps, repeats, seed, progress)
    n_images = len(next(iter(subjects.values())).labels)
    band, shown = band_for(n_images), _curve_steps(steps)
    study = NoisyWeights(
        command=command,
        data=data.source,
        n_images=n_images,
        steps=steps,
        trials=trials,
        encoding=encoding,
        seed=seed,
        band=band,
        neuron=PAPER_NEURON.model_dump(),
        card=rate_card.neuron if rate_card else None,
        card_digest=rate_card.content_digest() if rate_card else None,
        card_edited=rate_card.edited if rate_card else False,
        step_s=step_s,
        curve_steps=shown,
        networks=trained,
        rows=_rows(plan, results, band, shown),
        snr=snr,
    )
    path = study.save(out / "noisy-weights.json")
    write_files(study, out)
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
    steps: int,
    encoding: Encoding,
    seed: int,
    card: RateCard | None,
    shown: bool,
) -> list[dict[str, Any]]:
    results = []
    n = len(next(iter(subjects.values())).labels)
    # An ANN's pass costs next to nothing: the bar counts images through spiking networks.
    weights = [n if cell.side == "snn" else 0 for cell in plan]
    with bar("noisy weights", sum(weights), shown=shown) as moving:
        for cell, weight in zip(plan, weights, strict=True):
            subject = subjects[cell.architecture, cell.network]
            key = key_of(cell, subject, steps, encoding, seed, card)
            moving.note(f"{cell.architecture} {cell.side} {cell.noise} {cell.level:.0%} x{cell.scale:g}")
            if store.known(key):
                moving.advance(weight)
            results.append(
                store.result(key, lambda c=cell, s=subject: compute(c, s, steps, encoding, seed, moving.advance, card))
            )
    return results


def _rows(plan: list[Cell], results: list[dict[str, Any]], band: float, shown: list[int]) -> list[Row]:
    pairs = sorted(zip(plan, results, strict=True), key=lambda pair: pair[0].row)
    rows = []
    for (architecture, side, noise, scale, level), members in groupby(pairs, key=lambda pair: pair[0].row):
        found = [result for _, result in members]
        curves = [np.array(result["right"]) / result["n"] for result in found]
        paper = published(architecture, side, noise, scale, level)
        about: dict[str, Any] = {
            "architecture": architecture, "side": side, "noise": noise, "scale": scale, "level": level, "paper": paper,
        }  # fmt: skip
        if side == "ann":
            rows.append(Row(accuracy=_spread([float(curve[0]) for curve in curves]), **about))
            continue
        ends = [converge(curve, band) for curve in curves]
        mean = np.mean(curves, axis=0)
        rows.append(
            Row(
                accuracy=_spread([end.accuracy for end in ends]),
                convergence=_times([end.step for end in ends]),
                within_1=_times([end.within_1 for end in ends]),
                within_05=_times([end.within_05 for end in ends]),
                near=_times([end.near for end in ends]),
                not_converged=sum(end.step is None for end in ends),
                spikes=float(np.mean([result["spikes"] for result in found])),
                events=float(np.mean([result["events"] for result in found])),
                spike_energy_j=_energy(found, 0),
                static_energy_j=_energy(found, 1),
                curve=[float(mean[step - 1]) for step in shown],
                **about,
            )
        )
    return rows


def _energy(results: list[dict[str, Any]], part: int) -> float | None:
    """Mean of one part of the energy, where the passes have it."""
    found = [result["energy_j"][part] for result in results if result.get("energy_j")]
    return float(np.mean(found)) if found else None


def _spread(values: list[float]) -> Spread:
    mean, low, high = over_draws(values)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Spread(n=len(values), mean=mean, low=low, high=high, std=std, least=min(values), most=max(values))


def _times(steps: list[int | None]) -> Spread | None:
    """Times of those trials that have one; the interval is not cut to fractions."""
    values = np.array([step for step in steps if step is not None], dtype=np.float64)
    if values.size == 0:
        return None
    n = values.size
    _, half = _t_half(values)
    mean = float(values.mean())
    std = float(values.std(ddof=1)) if n > 1 else 0.0
    return Spread(
        n=n, mean=mean, low=mean - half, high=mean + half, std=std, least=float(values.min()), most=float(values.max())
    )


def _t_half(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return float(values.mean()), 0.0
    return float(values.mean()), float(
        stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    )


def _snr(
    subjects: dict[tuple[str, int], Subject], store: Store, steps: int, repeats: int, seed: int, shown: bool
) -> list[SnrPoint]:
    if repeats < 2:
        return []
    lengths = [int(t) for t in np.unique(np.geomspace(min(25, steps), steps, 6).round())]
    kinds: tuple[Literal["temporal", "frozen"], ...] = ("temporal", "frozen")
    found = []
    chosen = [subject for (_, number), subject in subjects.items() if number == 0]
    with bar("signal to noise", len(chosen) * 2 * len(lengths), shown=shown) as moving:
        for subject in chosen:
            for kind in kinds:
                for length in lengths:
                    key = ["snr", kind, length, repeats, seed, subject.digest, subject.data_digest, len(subject.labels)]
                    counts = store.result(key, lambda s=subject, k=kind, n=length: snr_counts(s, k, n, repeats, seed))[
                        "counts"
                    ]
                    moving.advance()
                    found.append(_snr_point(subject.architecture, kind, length, np.array(counts, float)))
    return [point for point in found if point is not None]


def _snr_point(
    architecture: Architecture, kind: Literal["temporal", "frozen"], steps: int, counts: np.ndarray
) -> SnrPoint | None:
    """counts (images, repeats). Images whose count never varies have no ratio; None when no image has one."""
    mean, std = counts.mean(axis=1), counts.std(axis=1, ddof=1)
    good = (std > 0) & (mean > 0)
    if not good.any():
        return None
    logs = np.log(mean[good] / std[good])
    # The standard error of ln(std) of n normal numbers is 1/sqrt(2 (n - 1)).
    half = 1.96 / math.sqrt(2 * (counts.shape[1] - 1) * good.sum())
    centre = float(logs.mean())
    return SnrPoint(
        architecture=architecture,
        noise=kind,
        level=SNR_LEVEL,
        steps=steps,
        spikes=float(mean[good].mean()),
        snr=math.exp(centre),
        low=math.exp(centre - half),
        high=math.exp(centre + half),
    )


def _curve_steps(steps: int) -> list[int]:
    return [int(t) for t in np.unique(np.geomspace(1, steps, _CURVE_POINTS).round())]
