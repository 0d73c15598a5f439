"""Trained networks of a run folder: which checkpoints it keeps, and the network each of them deploys."""

from dataclasses import dataclass
from pathlib import Path

from neuronsim.artifacts.training_run import TrainingRun
from neuronsim.errors import DataError, InputError

from ..datasets import catalogue as data
from .experiment import Experiment, load_experiment
from .network import TTFSNetwork
from .run_folder import BEST, load_weights, make_network, read_checkpoint, read_run


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A checkpoint of a run: best epoch of ``stage``, trained at ``bits`` (None: full precision)."""

    path: Path
    stage: int
    bits: int | None


def finished_run(run: Path) -> TrainingRun:
    """run.json of a finished run. Raises InputError when the run is not finished, or the folder holds none."""
    record = read_run(run)
    if not record.finished:
        raise InputError(f"the run in {run} is not finished: the same 'neuronsim train' command resumes it")
    return record


def checkpoints(run: Path) -> list[Kept]:
    """The best checkpoint of every stage that the run kept (best-*.ckpt), in order of stages; the deployed one last.

    A stage is known by the history inside the checkpoint, not by the file's name. Raises DataError when one is corrupt.
    """
    experiment = load_experiment(run / "experiment.toml")
    best: dict[int, Kept] = {}
    for path in [*sorted(run.glob("best-*.ckpt")), run / BEST]:
        history = read_checkpoint(path)["neuronsim"]["history"]
        stage = int(history[-1]["stage"]) if history else len(experiment.stages) - 1
        if not 0 <= stage < len(experiment.stages):
            raise DataError(f"{path} is of stage {stage}, but its experiment has {len(experiment.stages)}: train again")
        best[stage] = Kept(path=path, stage=stage, bits=experiment.stages[stage].bits)
    return [best[stage] for stage in sorted(best)]


def load_network(run: Path, data_dir: Path | str | None = None) -> tuple[TTFSNetwork, data.DataSet]:
    """The network that a run deploys (averaged weights, full precision) and its data set.

    Raises DataError when the checkpoint is corrupt, or the images are not those it was trained on.
    """
    experiment = load_experiment(run / "experiment.toml")
    dataset = load_data(run, experiment, data_dir)
    return build(experiment, dataset, run / BEST), dataset


def load_data(run: Path, experiment: Experiment, data_dir: Path | str | None) -> data.DataSet:
    """The data set of a run. Raises DataError when the images found are not those it was trained on."""
    dataset = data.load(experiment.data, data_dir)
    if dataset.digest != read_run(run).data_sha256:
        raise DataError(f"{run} was trained on other images of '{experiment.data}': use the same --data-dir")
    return dataset


def build(experiment: Experiment, dataset: data.DataSet, checkpoint: Path) -> TTFSNetwork:
    """The network of one checkpoint. Raises DataError when the checkpoint is corrupt or does not fit the experiment."""
    network = make_network(experiment, dataset.shape, dataset.n_classes)
    load_weights(network, checkpoint, experiment)
    network.scope = experiment.full_scale
    return network.eval()
