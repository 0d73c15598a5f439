"""Accuracy of a trained network: clean, quantized, and on chips of a model card."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuronsim.artifacts.atomic_write import sha256_file, sha256_of, write_text
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError
from neuronsim.progress import bar
from neuronsim.statistics.crossed import accuracy_interval
from neuronsim.statistics.proportions import wilson

from ..cards import as_card
from ..compiled.threads import use_threads
from ..packed_answers import unpack
from .batches import PlainBatches
from .deployed import finished_run, load_network
from .experiment import load_experiment
from .run_folder import read_checkpoint
from .trials import Trial, Trials

_MAX_TIMES = 500
_PARTIAL_CHIPS = 5
# (condition, frozen noise, temporal noise)
_CARD_CONDITIONS = (("card", True, True), ("frozen only", True, False), ("temporal only", False, True))
_PROGRAM = 3  # raised when the same inputs give other numbers, so that old results are not taken for new ones


def evaluate(
    run: Path | str,
    *,
    card: TTFSCard | Path | str | None = None,
    chips: int = 20,
    bits: int | None = None,
    noise_scale: float = 1.0,
    data_dir: Path | str | None = None,
    seed: int = 0,
    images: int | None = None,
    out: Path | str | None = None,
    progress: bool = True,
    threads: int | None = None,
) -> Path:
    """Evaluate the best checkpoint of a run folder on the test images; returns the path of the ``Evaluation`` JSON file.

    Conditions: "clean" (full-precision weights), "quantized" (``bits``, default those of the run) and, with a card, "card"
    (quantized weights on ``chips`` chips: mismatch frozen per chip, timing noise per inference), "frozen only" and "temporal
    only". All three include the deterministic part of the card; the last two, which tell the causes apart, take at most 5
    chips. With chips, low and high are the 95 % interval of the mean over chips and images (``crossed``), None with a
    single chip; else the Wilson interval over images.

    ``noise_scale`` multiplies the temporal noise. ``images``: only the first so many test images. ``out``: default
    evaluation.json in the run folder. A second identical call returns at once; an interrupted one goes on at the next chip.

    Energy per inference: per_spike_j * spikes + static_w * neurons * time to the decision (a silent image: that of the slowest
    decided one).

    Raises InputError (bad argument, not a run), DataError (corrupt checkpoint), MissingToolError (no data set), OutputError.
    """
    run = Path(run)
    out = Path(out) if out is not None else run / "evaluation.json"
    _check(chips, bits, noise_scale, seed, images)
    finished_run(run)
    card = None if card is None else as_card(card, TTFSCard)
    key = _key(run, card, chips, bits, noise_scale, seed, images)
    notes = out.with_name(out.name + ".progress")
    done = _done(notes, key)
    if done.get("finished") == (sha256_file(out) if out.is_file() else None) and out.is_file():
        return out
    experiment = load_experiment(run / "experiment.toml")
    checkpoint = run / "best.ckpt"
    network, dataset = load_network(run, data_dir)
    test = dataset.test if images is None else dataset.test.take(np.arange(min(images, len(dataset.test))))
    batches = list(PlainBatches(test, experiment))
    bits = experiment.bits if bits is None else bits
    trials = Trials(network, batches, card, noise_scale, seed, bits)
    conditions = []
    plan = (
        [(*entry, chips if entry[0] == "card" else min(chips, _PARTIAL_CHIPS)) for entry in _CARD_CONDITIONS]
        if card
        else []
    )
    total = 2 + sum(entry[3] for entry in plan)
    with use_threads(threads), torch.no_grad(), bar(f"evaluate {experiment.name}", total, shown=progress) as shown:
        clean, times, _ = trials.ideal(None)
        shown.advance()
        quantized, _, decided = trials.ideal(bits)
        shown.advance()
        conditions.append(_single("clean", None, clean, len(test)))
        conditions.append(_single("quantized", bits, quantized, len(test)))
        for name, frozen, temporal, count in plan:
            results = []
            for number in range(count):
                results.append(
                    _remembered(
                        done, notes, f"{name} {number}", lambda f=frozen, t=temporal, n=number: trials.chip(n, f, t)
                    )
                )
                shown.advance()
                shown.note(f"{name}: {np.mean([trial.accuracy for trial in results]):.2%}")
            conditions.append(_over_chips(name, bits, noise_scale, frozen, results))
    labels = np.concatenate([batch[1].numpy() for batch in batches])
    result = Evaluation(
        experiment=experiment.name,
        checkpoint=checkpoint.name,
        checkpoint_sha256=sha256_file(checkpoint),
        card=card.neuron if card else None,
        card_digest=card.content_digest() if card else None,
        card_edited=card.edited if card else False,
        data=f"{experiment.data} test ({dataset.source})",
        n_images=len(test),
        seed=seed,
        conditions=conditions,
        class_times_tau=[float(t) for t in times[np.isfinite(times)][:_MAX_TIMES]],
        confusion=_confusion(labels, decided, dataset.n_classes),
    )
    result.save(out)
    write_text(notes, json.dumps({"key": key, "finished": sha256_file(out)}) + "\n")
    return out


def _single(name: str, bits: int | None, trial: Trial, n: int) -> Condition:
    low, high = wilson(trial.accuracy, n)
    return Condition(
        name=name, bits=bits, noise_scale=0.0, frozen=False, accuracy=trial.accuracy, low=low, high=high,
        worst=trial.accuracy, per_chip=[], silent_outputs=trial.silent, sparsity=trial.sparsity,
        energy_per_inference_j=None, out_of_range=None,
    )  # fmt: skip


def _over_chips(name: str, bits: int | None, scale: float, frozen: bool, trials: list[Trial]) -> Condition:
    accuracy = np.array([trial.accuracy for trial in trials])
    mean, low, high = accuracy_interval([unpack(trial.right) for trial in trials])
    beyond = [trial.out_of_range for trial in trials if trial.out_of_range is not None]
    energies = [trial.energy_j for trial in trials if trial.energy_j is not None]
    return Condition(
        name=name, bits=bits, noise_scale=scale if name != "frozen only" else 0.0, frozen=frozen, accuracy=mean,
        low=low, high=high, worst=float(accuracy.min()), per_chip=accuracy.tolist(),
        silent_outputs=float(np.mean([trial.silent for trial in trials])),
        sparsity=np.mean([trial.sparsity for trial in trials], axis=0).tolist(),
        energy_per_inference_j=float(np.mean(energies)) if energies else None,
        out_of_range=float(np.mean(beyond)) if beyond else None,
    )  # fmt: skip


def _confusion(labels: NDArray, decided: NDArray, classes: int) -> list[list[int]]:
    table = np.zeros((classes, classes), dtype=int)
    known = decided >= 0
    np.add.at(table, (labels[known], decided[known]), 1)
    return table.tolist()


def _check(chips: int, bits: int | None, noise_scale: float, seed: int, images: int | None) -> None:
    if chips < 1:
        raise InputError(f"chips = {chips} is out of range: at least 1; intervals need 2 or more")
    if bits is not None and not 1 <= bits <= 32:
        raise InputError(f"bits = {bits} is out of range: a conductance bank has 1 to 32 bits")
    if not (math.isfinite(noise_scale) and noise_scale >= 0):
        raise InputError(f"noise_scale = {noise_scale} is out of range: must be a finite number >= 0")
    if seed < 0:
        raise InputError(f"seed = {seed} is out of range: must be 0 or positive")
    if images is not None and images < 1:
        raise InputError(f"images = {images} is out of range: at least 1")


def _key(run: Path, card: TTFSCard | None, *settings: Any) -> str:
    if not (run / "best.ckpt").is_file():
        read_checkpoint(run / "best.ckpt")
    parts = [
        _PROGRAM,
        sha256_file(run / "best.ckpt"),
        sha256_file(run / "run.json"),
        card and [card.content_digest(), card.edited],
    ]
    return sha256_of(json.dumps([*parts, *settings]))


def _done(notes: Path, key: str) -> dict[str, Any]:
    """What an earlier call with the same inputs finished; a file of other inputs, or a damaged one, counts as nothing."""
    try:
        stored = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = {}
    return stored if isinstance(stored, dict) and stored.get("key") == key else {"key": key}


def _remembered(done: dict[str, Any], notes: Path, label: str, compute: Any) -> Trial:
    """The trial of an interrupted call, or a new one, noted at once."""
    if label not in done:
        trial: Trial = compute()
        done[label] = vars(trial)
        write_text(notes, json.dumps(done) + "\n")
    return Trial(**done[label])
