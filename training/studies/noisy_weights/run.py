"""Paper 000 in one call: train, convert, and measure both sides under noisy weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from neuronsim.artifacts.noisy_weights_study import Architecture, NoisyWeights, SnrPoint, Trained
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.atomic_write import sha256_of
from neuronsim.progress import bar
from neuronsim.training.cards import as_card
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.datasets.catalogue import DataSet, load
from neuronsim.training.pass_store import Store
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.on_card import circuit_neuron
from neuronsim.training.seeds import checked_seed

from .cells import Cell, Conditions, Subject, cells, key_of
from .convergence import band_for
from .networks import RECIPES, ann_accuracy, pixels, train_ann
from .passes import SnrNoise, compute, snr_counts
from .plan import NoisyWeightsPlan
from .rows import chip_differences, rows_of, snr_point

_CURVE_POINTS = 120
Subjects = dict[tuple[Architecture, int], Subject]


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """What every part of the study works with."""

    conditions: Conditions
    data: DataSet
    store: Store
    progress: bool

    @property
    def plan(self) -> NoisyWeightsPlan:
        return self.conditions.plan


def reproduce_noisy_weights(
    plan: NoisyWeightsPlan | None = None,
    out: Path | str = Path("build/noisy-weights"),
    *,
    card: RateCard | Path | str | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    data_dir: Path | str | None = None,
    command: str = "",
) -> Path:
    """Train the networks of paper 000, convert them, and measure both sides under noisy weights. Returns the study file (JSON).

    ``card``: a rate card; besides, the networks are put on its neurons (:mod:`neuronsim.training.rate.on_card`). ``jobs``:
    threads. ``out`` also gets the plan, the checkpoints, and every finished pass: an interrupted call resumes, and more trials
    or networks add to those that are there.

    Raises InputError (seed, jobs, another kind of card), MissingToolError without MNIST, OutputError.
    """
    plan, out = plan or NoisyWeightsPlan(), Path(out)
    card = None if card is None else as_card(card, RateCard)
    conditions = Conditions(plan=plan, seed=checked_seed(seed), card=card)
    step_s = None if card is None else circuit_neuron(card).step_s
    data, store = load("mnist", data_dir), Store(out / "passes.progress")
    setup = _Setup(conditions=conditions, data=data, store=store, progress=progress)
    plan.save(out / "plan.toml")
    training_threads = jobs or torch.get_num_threads()
    with use_threads(jobs):
        subjects, trained = _trained(setup, training_threads)
        passes = cells(plan, card=card is not None)
        results = _results(passes, subjects, setup)
        snr = _snr(subjects, setup)
    n_images = len(next(iter(subjects.values())).labels)
    curve_steps = _steps(1, plan.steps, _CURVE_POINTS)
    study = NoisyWeights(
        command=command,
        data=data.source,
        n_images=n_images,
        steps=plan.steps,
        trials=plan.trials,
        encoding=plan.encoding,
        seed=seed,
        band=band_for(n_images),
        neuron=conditions.neuron.model_dump(),
        card=card.neuron if card else None,
        card_digest=card.content_digest() if card else None,
        card_edited=card.edited if card else False,
        step_s=step_s,
        curve_steps=curve_steps,
        networks=trained,
        rows=rows_of(passes, results, curve_steps, n_images, as_in_paper=not plan.departures),
        snr=snr,
        frozen=chip_differences(passes, results),
        law=plan.law,
        kernels=plan.kernels,
        jitter=plan.jitter,
    )
    return study.save(out / "noisy-weights.json")


def _trained(setup: _Setup, threads: int) -> tuple[Subjects, list[Trained]]:
    """Every network of the plan, trained on ``threads`` of torch's own threads, from which nothing else profits."""
    subjects: Subjects = {}
    records = []
    for architecture in setup.plan.architectures:
        for number in range(setup.plan.networks):
            torch.set_num_threads(threads)
            subjects[architecture, number], record = _subject(architecture, setup.conditions.seed + number, setup)
            torch.set_num_threads(1)
            records.append(record)
    return subjects, records


def _subject(architecture: Architecture, seed: int, setup: _Setup) -> tuple[Subject, Trained]:
    plan, data, recipe = setup.plan, setup.data, RECIPES[architecture]
    if plan.epochs is not None:
        recipe = recipe.model_copy(update={"epochs": plan.epochs})
    checkpoint = setup.store.path.with_name(f"{architecture}-{seed}-{recipe.epochs}.ckpt")
    with bar(f"train {architecture}, seed {seed}", recipe.epochs, shown=setup.progress) as moving:

        def advanced(done: int, loss: float) -> None:
            moving.move(done, recipe.epochs)
            moving.note(f"loss {loss:.4f}")

        network = train_ann(recipe, data, seed, checkpoint, advanced)
    test, labels = pixels(data.test), torch.from_numpy(data.test.labels)
    digest = sha256_of(b"".join(weight.detach().numpy().tobytes() for weight in network.parameters()))

    def measure() -> dict[str, Any]:
        everything = torch.cat([pixels(data.train), pixels(data.validation)])
        return {"largest": largest_inputs(network, everything), "accuracy": ann_accuracy(network, test, labels)}

    measured = setup.store.result(["network", digest, data.digest], measure)
    largest = [float(value) for value in measured["largest"]]
    subject = Subject(
        architecture=architecture, seed=seed, network=network, largest=largest, digest=digest, images=test, labels=labels,
        data_digest=data.digest,
    )  # fmt: skip
    record = Trained(
        architecture=architecture,
        seed=seed,
        epochs=recipe.epochs,
        accuracy=float(measured["accuracy"]),
        thresholds=[float(theta[0]) for theta in convert(network, (28, 28, 1), largest).thresholds],
        weights_sha256=digest,
    )
    return subject if plan.images is None else subject.first(plan.images), record


def _results(passes: list[Cell], subjects: Mapping[Any, Subject], setup: _Setup) -> list[dict[str, Any]]:
    conditions, store, results = setup.conditions, setup.store, []
    n = len(next(iter(subjects.values())).labels)
    # An ANN's pass costs next to nothing: the bar counts images through spiking networks.
    images = [cell.images(n, setup.plan) if cell.side == "snn" else 0 for cell in passes]
    with bar("noisy weights", sum(images), shown=setup.progress) as moving:
        for cell, count in zip(passes, images, strict=True):
            subject = subjects[cell.architecture, cell.network]
            key = key_of(cell, subject, conditions)
            moving.note(f"{cell.architecture} {cell.side} {cell.noise} {cell.level:.0%} x{cell.scale:g}")
            if store.known(key):
                moving.advance(count)
            results.append(store.result(key, lambda c=cell, s=subject: compute(c, s, conditions, moving.advance)))
    return results


def _snr(subjects: Subjects, setup: _Setup) -> list[SnrPoint]:
    plan, conditions = setup.plan, setup.conditions
    if plan.repeats < 2:
        return []
    first = [subject for (_, number), subject in subjects.items() if number == 0]
    lengths = _steps(min(25, plan.steps), plan.steps, 6)
    todo = [(subject, kind, steps) for subject in first for kind in get_args(SnrNoise) for steps in lengths]
    points = []
    with bar("signal to noise", len(todo), shown=setup.progress) as moving:
        for subject, kind, steps in todo:
            key = ["snr", kind, steps, plan.repeats, conditions.seed, subject.digest, subject.data_digest]
            key += [len(subject.labels), *plan.departures]
            result = setup.store.result(key, lambda s=subject, k=kind, n=steps: snr_counts(s, k, n, conditions))
            moving.advance()
            points.append(snr_point(subject.architecture, kind, steps, np.array(result["counts"], float)))
    return [point for point in points if point is not None]


def _steps(first: int, last: int, points: int) -> list[int]:
    """Steps from ``first`` to ``last``, evenly spread on a logarithmic scale."""
    return [int(step) for step in np.unique(np.geomspace(first, last, points).round())]
