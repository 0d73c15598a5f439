"""Run folders: what they hold, and whether they can be resumed."""

import platform
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from neuronsim.artifacts.training_run import LAST, METRICS, TrainingRun
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import output_errors, sha256_file
from neuronsim.errors import DataError, InputError

from ..datasets import catalogue as data
from ..seeds import torch_generator
from .experiment import Experiment, load_experiment
from .network import TTFSNetwork

BEST = "best.ckpt"
#: file in a run folder that says what it holds
RECORD = "run.json"
_INITIAL = 0


def make_network(experiment: Experiment, shape: tuple[int, int, int], n_classes: int) -> TTFSNetwork:
    """The untrained network of an experiment; its weights depend on the seed only."""
    return TTFSNetwork(experiment.layers, shape, n_classes, generator=torch_generator(experiment.seed, _INITIAL))


def best_checkpoint(experiment: Experiment, stage: int) -> str:
    """File of the best epoch of a stage: best.ckpt of the last, which is deployed, else like best-1-8bit.ckpt."""
    if stage == len(experiment.stages) - 1:
        return BEST
    bits = experiment.stages[stage].bits
    return f"best-{stage}-{'full' if bits is None else f'{bits}bit'}.ckpt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as plain data and tensors. Raises InputError when missing, DataError when corrupt."""
    if not path.is_file():
        raise InputError(f"no checkpoint {path}: train first with 'neuronsim train EXPERIMENT --out {path.parent}'")
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums of its own archive
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"checksum of {damaged} is wrong")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        _ = checkpoint["neuronsim"]["history"], checkpoint["state_dict"]
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is corrupt or not a checkpoint of neuronsim ({reason}): delete it and run the same "
            "'neuronsim train' command again, which then starts from the beginning"
        ) from None
    return checkpoint


def read_run(out: Path) -> TrainingRun:
    """run.json of a run folder. Raises InputError when there is none, DataError when it is corrupt."""
    return TrainingRun.load(out / RECORD)


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where the first weights of a run come from: a checkpoint of another run."""

    checkpoint: Path
    sha256: str
    experiment: Experiment


def start_of(path: Path) -> Start:
    """``path``: a run folder (its best.ckpt), or a checkpoint in one. Raises InputError when it is neither."""
    checkpoint = path / BEST if path.is_dir() else path
    experiment = load_experiment(checkpoint.parent / "experiment.toml")
    read_checkpoint(checkpoint)
    return Start(checkpoint=checkpoint, sha256=sha256_file(checkpoint), experiment=experiment)


def load_weights(network: TTFSNetwork, checkpoint: Path, experiment: Experiment) -> None:
    """Give ``network`` the weights of a checkpoint of ``experiment``: the averaged ones where there are. Raises DataError."""
    state = read_checkpoint(checkpoint)["state_dict"]
    prefix = "network." if experiment.ema is None else "average.module."
    weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{checkpoint} does not fit the layers of the experiment ({reason}): train again") from None


def existing(
    out: Path, experiment: Experiment, card: TTFSCard | None, start: Start | None, resume: bool, force: bool
) -> str:
    """What ``out`` holds: "new", "started" or "finished"."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: name a folder")
    if force and out.is_dir():
        names = (RECORD, LAST, METRICS, "experiment.toml")
        for path in [*(out / name for name in names), *out.glob("best*.ckpt")]:
            with output_errors(path):
                path.unlink(missing_ok=True)
    if not (out / RECORD).is_file():
        return "new"
    run = read_run(out)
    same = run.experiment_digest == experiment.digest() and run.card_digest == (card.content_digest() if card else None)
    if not same or run.start_sha256 != (start.sha256 if start else None):
        raise InputError(
            f"{out} holds a run of another experiment, seed, card or start: choose another --out, or --force to replace it"
        )
    if not resume:
        raise InputError(f"{out} already holds this run: resume it, choose another --out, or --force to replace it")
    if run.finished:
        for name in (BEST, LAST):
            read_checkpoint(out / name)
        return "finished"
    return "started" if (out / LAST).is_file() else "new"


def resumable(path: Path, experiment: Experiment) -> dict[str, Any]:
    """The checkpoint of an interrupted run. Raises DataError when it is corrupt or of another experiment."""
    checkpoint = read_checkpoint(path)
    if checkpoint["neuronsim"]["experiment"] != experiment.digest():
        raise DataError(f"{path} belongs to another experiment: choose another --out, or --force to replace the run")
    return checkpoint


def check_data(out: Path, provenance: TrainingRun) -> None:
    """Raise DataError when ``out`` was started on other images than those of ``provenance``."""
    if (out / RECORD).is_file():
        before = read_run(out).data_sha256
        if before != provenance.data_sha256:
            raise DataError(
                f"{out} was started on other images of '{provenance.data}': use the same --data-dir, or --force"
            )


def provenance_of(
    experiment: Experiment, card: TTFSCard | None, start: Start | None, dataset: data.DataSet
) -> TrainingRun:
    """What run.json says of a run that is not finished."""
    packages = ("neuronsim", "torch", "lightning", "numba", "numpy")
    return TrainingRun(
        experiment=experiment.name,
        experiment_digest=experiment.digest(),
        seed=experiment.seed,
        card_digest=card.content_digest() if card else None,
        start=str(start.checkpoint) if start else None,
        start_sha256=start.sha256 if start else None,
        data=experiment.data,
        data_source=dataset.source,
        data_sha256=dataset.digest,
        versions={"python": platform.python_version(), **{name: version(name) for name in packages}},
    )
