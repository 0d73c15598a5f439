"""The networks under study: checkpoints of run folders, their names, and their test images, loaded when first needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from neuronsim.artifacts.robustness_study import Origin
from neuronsim.artifacts.training_run import TrainingRun
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import sha256_file
from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale
from neuronsim.training.datasets.catalogue import DataSet
from neuronsim.training.ttfs.batches import PlainBatches
from neuronsim.training.ttfs.deployed import Kept, build, checkpoints, finished_run, load_data
from neuronsim.training.ttfs.experiment import Experiment, load_experiment
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.trials import Trials

from .plan import RobustnessPlan

Batches = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network: a checkpoint of a finished run. ``final``: the one the run deploys."""

    run: Path
    record: TrainingRun
    experiment: Experiment
    kept: Kept
    origin: Origin
    final: bool

    @property
    def label(self) -> str:
        """Its name in tables and plots."""
        return self.origin.label

    @property
    def bits(self) -> int | None:
        """Weight resolution it was trained at."""
        return self.kept.bits

    @property
    def full_scale(self) -> FullScale:
        """What shares a full scale of the weights in its experiment."""
        return self.experiment.full_scale

    def key(self) -> list[Any]:
        """What decides its answers: weights, encoding and images."""
        return [self.origin.checkpoint_sha256, self.experiment.digest(), self.record.data_sha256]


def subjects(runs: Sequence[Path | str]) -> list[Subject]:
    """Every checkpoint that the run folders keep, run by run, stages in order.

    Raises InputError (not a finished run, given twice, runs of different data sets), DataError (corrupt checkpoint).
    """
    if not runs:
        raise InputError("no run given: name at least one folder that 'neuronsim train' wrote")
    folders = [Path(run) for run in runs]
    resolved = [folder.resolve() for folder in folders]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise InputError(f"the run {folder} is given twice: name each run once")
    networks = [network for run in zip(folders, _names(resolved), strict=True) for network in _checkpoints(*run)]
    first = networks[0]
    for other in networks:
        if other.record.data_sha256 != first.record.data_sha256:
            raise InputError(
                f"{first.run} was trained on '{first.experiment.data}' and {other.run} on other images "
                f"('{other.experiment.data}'): compare runs of one data set, give the others in a call of their own"
            )
    return networks


def _checkpoints(folder: Path, name: str) -> list[Subject]:
    """The networks of one run, whose name in tables is ``name``."""
    record, experiment = finished_run(folder), load_experiment(folder / "experiment.toml")
    kept, subjects = checkpoints(folder), []
    for checkpoint in kept:
        width = "full precision" if checkpoint.bits is None else f"{checkpoint.bits} bit"
        twin = sum(other.bits == checkpoint.bits for other in kept) > 1
        stage = f"stage {checkpoint.stage}, {width}" if twin else width
        origin = Origin(
            label=name if len(kept) == 1 else f"{name} ({stage})",
            experiment=experiment.name,
            stage=checkpoint.stage,
            trained_bits=checkpoint.bits,
            trained_card_digest=record.card_digest,
            run_seed=experiment.seed,
            checkpoint=f"{name}/{checkpoint.path.name}",
            checkpoint_sha256=sha256_file(checkpoint.path),
            n_weights=record.n_weights or 0,
        )
        about = {"run": folder, "record": record, "experiment": experiment, "final": checkpoint is kept[-1]}
        subjects.append(Subject(kept=checkpoint, origin=origin, **about))
    return subjects


def _names(folders: list[Path]) -> list[str]:
    """Folder names, with as many parents as it takes to tell them apart."""
    for depth in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


class Workbench:
    """What the passes of a call share: the plan, the seed, the card, and networks and test images.

    These are loaded when a pass needs them: a call whose points are all known loads nothing.
    """

    def __init__(self, plan: RobustnessPlan, seed: int, card: TTFSCard | None, data_dir: Path | str | None) -> None:
        self.plan, self.seed, self.card, self.data_dir = plan, seed, card, data_dir
        self._data: DataSet | None = None
        self._networks: dict[str, TTFSNetwork] = {}
        self._batches: dict[str, Batches] = {}

    def dataset(self, subject: Subject) -> DataSet:
        """The data set, the same for all subjects."""
        if self._data is None:
            self._data = load_data(subject.run, subject.experiment, self.data_dir)
        return self._data

    def network(self, subject: Subject) -> TTFSNetwork:
        """The network with its full-precision weights, at the resolution and range it was trained with."""
        if subject.label not in self._networks:
            self._networks[subject.label] = build(subject.experiment, self.dataset(subject), subject.kept.path)
        network = self._networks[subject.label]
        network.bits, network.scope = subject.bits, subject.full_scale
        return network

    def batches(self, subject: Subject) -> Batches:
        """Test images as (z, labels), encoded as the subject's experiment does it."""
        encoding = subject.experiment.encoding.model_dump_json()
        if encoding not in self._batches:
            test = self.dataset(subject).test.first(self.plan.images)
            self._batches[encoding] = list(PlainBatches(test, subject.experiment))
        return self._batches[encoding]

    def trials(self, subject: Subject) -> Trials:
        """Passes of the subject over its images on chips of the card."""
        return Trials(self.network(subject), self.batches(subject), self.card, 1.0, self.seed, subject.bits)
