"""One call, one folder: every robustness study of one or several trained networks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuronsim.artifacts.robustness_study import Gain, Kind, Study
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.progress import bar
from neuronsim.statistics.crossed import difference_interval
from neuronsim.training.cards import as_card
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.packed_answers import unpack
from neuronsim.training.pass_store import Store
from neuronsim.training.seeds import checked_seed

from . import sweeps
from .energy_use import energy, uses
from .plan import RobustnessPlan
from .subjects import Subject, Workbench, subjects
from .tasks import Task, points

_PASSES = 2  # raised when passes hold more or other figures than before: they are made again
_TASKS: dict[Kind, Callable[[Sequence[Subject], Workbench], list[Task]]] = {
    "quantization": sweeps.quantization,
    "snr": sweeps.snr,
    "jitter": sweeps.jitter,
    "card": sweeps.card,
    "energy": energy,
}


def stress(
    runs: Path | str | Sequence[Path | str],
    plan: RobustnessPlan | None = None,
    out: Path | str | None = None,
    *,
    card: TTFSCard | Path | str | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    data_dir: Path | str | None = None,
) -> list[Path]:
    """Stress the networks of run folders as ``plan`` says. Returns the study files (JSON).

    The deployed network of every run takes part, and its best checkpoints of earlier stages where it kept them (in
    "quantization" and "snr"). ``out``: folder, default robustness/ in the first run. Every finished pass is kept in it: a second
    identical call only writes the files again, an interrupted one resumes at the next pass, more chips add to those done.
    ``jobs``: threads. Plots and tables of a study: :func:`neuronsim.report.write_study_files`.

    Raises InputError (bad argument, not a finished run, runs of different data), DataError (corrupt checkpoint), MissingToolError
    (no data set), OutputError.
    """
    plan, card = plan or RobustnessPlan(), None if card is None else as_card(card, TTFSCard)
    runs = [runs] if isinstance(runs, (str, Path)) else list(runs)
    kinds = plan.kinds(card=card is not None)
    bench = Workbench(plan, checked_seed(seed), card, data_dir)
    networks = subjects(runs)
    out = Path(out) if out is not None else Path(runs[0]) / "robustness"
    store = Store(out / "passes.progress")
    plan.save(out / "plan.toml")
    written = []
    with use_threads(jobs):
        for kind in kinds:
            tasks = _TASKS[kind](networks, bench)
            results = _results(kind, tasks, store, plan.images, progress)
            written.append(_study(kind, networks, tasks, results, bench).save(out / f"{kind}.json"))
    return written


def _results(kind: Kind, tasks: list[Task], store: Store, images: int | None, progress: bool) -> list[dict[str, Any]]:
    results = []
    with bar(f"robustness: {kind}", len(tasks), shown=progress) as moving:
        for task in tasks:
            result = store.result([_PASSES, *task.key, *task.subject.key(), images], task.compute)
            results.append(result)
            moving.advance()
            if "accuracy" in result:
                moving.note(f"{task.series}: {result['accuracy']:.2%}")
    return results


def _study(
    kind: Kind, networks: list[Subject], tasks: list[Task], results: list[dict[str, Any]], bench: Workbench
) -> Study:
    used = {task.subject.label for task in tasks}
    card = bench.card if kind in ("card", "energy") else None
    first = networks[0]
    return Study(
        study=kind,
        definition=sweeps.DEFINITIONS[kind],
        data=first.experiment.data,
        data_source=first.record.data_source,
        n_images=int(results[0]["n"]),
        seed=bench.seed,
        card=card.neuron if card else None,
        card_digest=card.content_digest() if card else None,
        card_edited=card.edited if card else False,
        networks=[subject.origin for subject in networks if subject.label in used],
        points=points(tasks, results) if kind != "energy" else [],
        gains=_gains(networks, tasks, results) if kind == "card" else [],
        energy=uses(tasks, results, card) if kind == "energy" else [],
    )


def _gains(networks: list[Subject], tasks: list[Task], results: list[dict[str, Any]]) -> list[Gain]:
    """Every deployed network against that of the first run, on the same chips and images."""
    reference, *others = sweeps.deployed(networks)
    right: dict[str, list[NDArray[np.bool_]]] = {}
    for task, result in zip(tasks, results, strict=True):
        if task.series == "card":
            right.setdefault(task.subject.label, []).append(unpack(result["right"]))
    gains = []
    for subject in others:
        # Chips are drawn layer by layer: the same only for networks of equal layers.
        paired = subject.experiment.layers == reference.experiment.layers
        values = right[subject.label]
        mean, low, high = difference_interval(values, right[reference.label], paired=paired)
        about = {"network": subject.label, "reference": reference.label, "condition": "card", "chips": len(values)}
        gains.append(Gain(mean=mean, low=low, high=high, paired=paired, **about))
    return gains
