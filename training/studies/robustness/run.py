"""One call, one folder: every robustness study of one or several trained networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.artifacts.atomic_write import output_errors
from neuronsim.artifacts.robustness_study import KINDS, Gain, Kind, Study
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError, suggest
from neuronsim.progress import bar
from neuronsim.report import write_study_files
from neuronsim.statistics.crossed import difference_interval
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.packed_answers import unpack
from neuronsim.training.ttfs.run_folder import as_ttfs_card

from ..pass_store import Store
from . import sweeps
from .energy_use import energy, uses
from .subjects import Subject, Workbench, subjects
from .sweeps import DEFINITIONS, Settings
from .tasks import Task, points

_PASSES = 2  # raised when passes hold more or other figures than before: they are made again
_PLANS: dict[Kind, Callable[[Sequence[Subject], Workbench, Settings], list[Task]]] = {
    "quantization": sweeps.quantization,
    "snr": sweeps.snr,
    "jitter": sweeps.jitter,
    "card": sweeps.card,
    "energy": energy,
}


def stress(
    runs: Path | str | Sequence[Path | str],
    *,
    card: TTFSCard | Path | str | None = None,
    only: Sequence[str] | str | None = None,
    chips: int = 20,
    draws: int = 5,
    levels: int = 7,
    images: int | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    data_dir: Path | str | None = None,
    progress: bool = True,
    threads: int | None = None,
) -> list[Path]:
    """Stress the networks of run folders; returns the study files (JSON), each beside a plot (.png) and tables (.md, .csv).

    Studies (``only``: some of them): "quantization", weights at 32 to 2 bits after training, per neuron and per layer, and as
    trained (paper 004, table 4); "snr", frozen weight noise (figure 2); "jitter" of input spikes and of every neuron's spike;
    "card" (needs one): ``chips`` chips with frozen mismatch and temporal noise, every run on the same chips, and the
    difference of each run to the first; "energy" per inference. The deployed network of every run takes part, and its best
    checkpoints of earlier stages where it kept them (in "quantization" and "snr").

    ``draws``: noise draws per level of "snr" and "jitter"; ``levels``: levels of their sweeps; ``images``: only the first so
    many test images; ``out``: folder, default robustness/ in the first run. Every finished pass is kept there: a second
    identical call only writes the files again, an interrupted one goes on at the next pass, more chips add to those done.

    Raises InputError (bad argument, not a finished run, runs of different data), DataError (corrupt checkpoint), MissingToolError
    (no data set), OutputError.
    """
    runs = [runs] if isinstance(runs, (str, Path)) else list(runs)
    card = as_ttfs_card(card)
    kinds = _kinds(only, card)
    _check(chips, draws, levels, images, seed)
    found = subjects(runs)
    out = Path(out) if out is not None else Path(runs[0]) / "robustness"
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a folder")
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    store, bench = Store(out / "passes.progress"), Workbench(data_dir, images)
    settings = Settings(card=card, chips=chips, draws=draws, points=levels, seed=seed)
    written = []
    with use_threads(threads):
        for kind in kinds:
            tasks = _PLANS[kind](found, bench, settings)
            results = _results(kind, tasks, store, [images], progress)
            study = _study(kind, found, tasks, results, settings)
            path = study.save(out / f"{kind}.json")
            write_study_files(study, out)
            written.append(path)
    return written


def _results(kind: Kind, tasks: list[Task], store: Store, shared: list[Any], shown: bool) -> list[dict[str, Any]]:
    keys = [[_PASSES, *task.key, *task.subject.key(), *shared] for task in tasks]
    results = []
    with bar(f"robustness: {kind}", len(tasks), shown=shown) as moving:
        for task, key in zip(tasks, keys, strict=True):
            result = store.result(key, task.compute)
            results.append(result)
            moving.advance()
            if "accuracy" in result:
                moving.note(f"{task.series}: {result['accuracy']:.2%}")
    return results


def _study(
    kind: Kind, found: list[Subject], tasks: list[Task], results: list[dict[str, Any]], settings: Settings
) -> Study:
    used = {task.subject.label for task in tasks}
    accuracies = points(tasks, results) if kind != "energy" else []
    card = settings.card if kind in ("card", "energy") else None
    first = found[0]
    return Study(
        study=kind,
        definition=DEFINITIONS[kind],
        data=first.experiment.data,
        data_source=first.record.data_source,
        n_images=int(results[0]["n"]),
        seed=settings.seed,
        card=card.neuron if card else None,
        card_digest=card.content_digest() if card else None,
        card_edited=card.edited if card else False,
        networks=[subject.origin for subject in found if subject.label in used],
        points=accuracies,
        gains=_gains(found, tasks, results) if kind == "card" else [],
        energy=uses(tasks, results, card) if kind == "energy" else [],
    )


def _gains(found: list[Subject], tasks: list[Task], results: list[dict[str, Any]]) -> list[Gain]:
    """Every deployed network against that of the first run, on the same chips and images."""
    deployed = [subject for subject in found if subject.final]
    right: dict[str, list[NDArray[np.bool_]]] = {subject.label: [] for subject in deployed}
    for task, result in zip(tasks, results, strict=True):
        if task.series == "card":
            right[task.subject.label].append(unpack(result["right"]))
    gains = []
    for subject in deployed[1:]:
        reference = deployed[0]
        # Chips are drawn layer by layer: the same only for networks of equal layers.
        paired = subject.experiment.layers == reference.experiment.layers
        values, base = right[subject.label], right[reference.label]
        mean, low, high = difference_interval(values, base, paired=paired)
        gains.append(
            Gain(
                network=subject.label,
                reference=reference.label,
                condition="card",
                mean=mean,
                low=low,
                high=high,
                chips=len(values),
                paired=paired,
                interval="chips and images",
            )
        )
    return gains


def _kinds(only: Sequence[str] | str | None, card: TTFSCard | None) -> list[Kind]:
    names = [only] if isinstance(only, str) else list(only or ())
    for name in names:
        if name not in KINDS:
            raise InputError(f"only = '{name}': must be one of {', '.join(KINDS)}.{suggest(name, KINDS)}")
    if "card" in names and card is None:
        raise InputError("the study 'card' needs a model card: give one with --card")
    return [kind for kind in KINDS if (kind in names if names else kind != "card" or card is not None)]


def _check(chips: int, draws: int, levels: int, images: int | None, seed: int) -> None:
    for name, value, least in (("chips", chips, 2), ("draws", draws, 2), ("levels", levels, 2), ("seed", seed, 0)):
        if value < least:
            what = "must be 0 or positive" if name == "seed" else f"at least {least}, an interval needs two"
            raise InputError(f"{name} = {value} is out of range: {what}")
    if images is not None and images < 1:
        raise InputError(f"images = {images} is out of range: at least 1")
