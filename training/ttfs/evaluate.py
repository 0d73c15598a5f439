"""Accuracy of a trained network: clean, quantized, and on chips of a model card."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import sha256_file
from neuronsim.errors import InputError
from neuronsim.progress import Bar, bar
from neuronsim.statistics.crossed import accuracy_interval
from neuronsim.statistics.proportions import wilson

from ..cards import as_card
from ..compiled.threads import use_threads
from ..packed_answers import unpack
from ..pass_store import Store
from .batches import PlainBatches
from .deployed import finished_run, load_network
from .experiment import load_experiment
from .run_folder import BEST, RECORD, read_checkpoint
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
    chips. Intervals are those of :class:`Condition`. Energy per inference: per_spike_j * spikes + static_w * neurons * time to
    the decision (a silent image: that of the slowest decided one).

    ``noise_scale`` multiplies the temporal noise. ``images``: only the first so many test images. ``out``: default
    evaluation.json in the run folder. A second identical call returns at once, an interrupted one is resumed at the next chip.

    Raises InputError (bad argument, not a run), DataError (corrupt checkpoint), MissingToolError (no data set), OutputError.
    """
    run = Path(run)
    out = Path(out) if out is not None else run / "evaluation.json"
    _check(chips, bits, noise_scale, seed, images)
    finished_run(run)
    card = None if card is None else as_card(card, TTFSCard)
    store = Store(out.with_name(out.name + ".progress"))
    key = [*_inputs(run, card), chips, bits, noise_scale, seed, images]
    if out.is_file() and store.known([*key, sha256_file(out)]):  # the file that an earlier call wrote
        return out
    experiment = load_experiment(run / "experiment.toml")
    network, dataset = load_network(run, data_dir)
    test = dataset.test.first(images)
    batches = list(PlainBatches(test, experiment))
    trials = Trials(network, batches, card, noise_scale, seed, experiment.bits if bits is None else bits)
    with use_threads(threads), torch.no_grad():
        noted = _Noted(trials, store, key)
        conditions, times, decided = _conditions(noted, experiment.name, len(test), chips, noise_scale, progress)
    Evaluation(
        experiment=experiment.name,
        checkpoint=BEST,
        checkpoint_sha256=sha256_file(run / BEST),
        card=card.neuron if card else None,
        card_digest=card.content_digest() if card else None,
        card_edited=card.edited if card else False,
        data=f"{experiment.data} test ({dataset.source})",
        n_images=len(test),
        seed=seed,
        conditions=conditions,
        class_times_tau=[float(t) for t in times[np.isfinite(times)][:_MAX_TIMES]],
        confusion=_confusion(test.labels, decided, dataset.n_classes),
    ).save(out)
    store.result([*key, sha256_file(out)], dict)
    return out


def _inputs(run: Path, card: TTFSCard | None) -> list[Any]:
    """What decides the results besides the arguments. Raises InputError when the run has no checkpoint."""
    if not (run / BEST).is_file():
        read_checkpoint(run / BEST)
    digest = card and [card.content_digest(), card.edited]
    return [_PROGRAM, sha256_file(run / BEST), sha256_file(run / RECORD), digest]


@dataclass(frozen=True)
class _Noted:
    """Trials, those on chips noted in ``store`` at once."""

    trials: Trials
    store: Store
    key: list[Any]

    def chip(self, name: str, number: int, frozen: bool, temporal: bool) -> Trial:
        """The noted trial, or a new one."""
        key = [*self.key, name, number]
        return Trial(**self.store.result(key, lambda: vars(self.trials.chip(number, frozen, temporal))))


def _conditions(
    noted: _Noted, name: str, n: int, chips: int, noise_scale: float, progress: bool
) -> tuple[list[Condition], NDArray, NDArray]:
    """All conditions on ``n`` images, the decision times of the clean network and the classes of the quantized one."""
    trials = noted.trials
    counts = [chips if condition[0] == "card" else min(chips, _PARTIAL_CHIPS) for condition in _CARD_CONDITIONS]
    counts = [] if trials.card is None else counts
    with bar(f"evaluate {name}", 2 + sum(counts), shown=progress) as steps:
        clean, times, _ = trials.ideal(None)
        steps.advance()
        quantized, _, decided = trials.ideal(trials.bits)
        steps.advance()
        conditions = [_single("clean", None, clean, n), _single("quantized", trials.bits, quantized, n)]
        for condition, count in zip(_CARD_CONDITIONS, counts, strict=False):
            conditions.append(_over_chips(*condition, count, noted, noise_scale, steps))
    return conditions, times, decided


def _single(name: str, bits: int | None, trial: Trial, n: int) -> Condition:
    low, high = wilson(trial.accuracy, n)
    return Condition(
        name=name, bits=bits, noise_scale=0.0, frozen=False, accuracy=trial.accuracy, low=low, high=high,
        worst=trial.accuracy, per_chip=[], silent_outputs=trial.silent, sparsity=trial.sparsity,
        energy_per_inference_j=None, out_of_range=None,
    )  # fmt: skip


def _over_chips(
    name: str, frozen: bool, temporal: bool, count: int, noted: _Noted, noise_scale: float, steps: Bar
) -> Condition:
    """One condition on ``count`` chips."""
    results: list[Trial] = []
    for number in range(count):
        results.append(noted.chip(name, number, frozen, temporal))
        steps.advance()
        steps.note(f"{name}: {np.mean([result.accuracy for result in results]):.2%}")
    accuracy = np.array([result.accuracy for result in results])
    mean, low, high = accuracy_interval([unpack(result.right) for result in results])
    beyond = [result.out_of_range for result in results if result.out_of_range is not None]
    energies = [result.energy_j for result in results if result.energy_j is not None]
    return Condition(
        name=name, bits=noted.trials.bits, noise_scale=noise_scale if name != "frozen only" else 0.0, frozen=frozen,
        accuracy=mean, low=low, high=high, worst=float(accuracy.min()), per_chip=accuracy.tolist(),
        silent_outputs=float(np.mean([result.silent for result in results])),
        sparsity=np.mean([result.sparsity for result in results], axis=0).tolist(),
        energy_per_inference_j=float(np.mean(energies)) if energies else None,
        out_of_range=float(np.mean(beyond)) if beyond else None,
    )  # fmt: skip


def _confusion(labels: NDArray, decided: NDArray, classes: int) -> list[list[int]]:
    table = np.zeros((classes, classes), dtype=int)
    known = decided >= 0
    np.add.at(table, (labels[known], decided[known]), 1)
    return table.tolist()


def _check(chips: int, bits: int | None, noise_scale: float, seed: int, images: int | None) -> None:
    for name, value, right, legal in (
        ("chips", chips, chips >= 1, "at least 1; intervals need 2 or more"),
        ("bits", bits, bits is None or 1 <= bits <= 32, "a conductance bank has 1 to 32 bits"),
        ("noise_scale", noise_scale, math.isfinite(noise_scale) and noise_scale >= 0, "must be a finite number >= 0"),
        ("seed", seed, seed >= 0, "must be 0 or positive"),
        ("images", images, images is None or images >= 1, "at least 1"),
    ):
        if not right:
            raise InputError(f"{name} = {value} is out of range: {legal}")
