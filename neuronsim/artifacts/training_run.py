"""Training runs: what a run says about itself (run.json) and its curves (metrics.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ..atomic_write import sha256_file
from ..errors import DataError
from .base import JsonArtifact

CHECKPOINTS = (".ckpt", ".safetensors", ".pt")
METRICS = "metrics.csv"
LAST = "last.ckpt"
COLUMNS = ("stage", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One row of metrics.csv; accuracies are fractions, NaN where the cell is empty."""

    stage: str
    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float


class TrainingRun(JsonArtifact):
    """run.json of a run folder: what was trained on what. Beside it: experiment.toml, metrics.csv, checkpoints."""

    noun: ClassVar[str] = "training run"
    made_by: ClassVar[str] = "neuronsim train EXPERIMENT"

    kind: Literal["training_run"] = "training_run"
    schema_version: Literal[1] = 1
    experiment: str
    experiment_digest: str
    seed: int
    card_digest: str | None = Field(description="card under whose noise it is trained; null: none")
    start: str | None = Field(description="checkpoint that the weights started from; null: random weights")
    start_sha256: str | None
    data: str
    data_source: str
    data_sha256: str
    versions: dict[str, str]
    finished: bool = False
    bests: list[dict[str, int | float] | None] = Field(
        default_factory=list, description="row of the best epoch of each stage"
    )
    n_weights: int | None = Field(default=None, description="null: not finished")

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        return [("model card", self.card_digest)] if self.card_digest else []

    def beside(self, path: Path) -> list[Path]:
        """The curves, where an epoch has ended."""
        metrics = path.with_name(METRICS)
        return [metrics] if metrics.is_file() else []

    def provides(self, path: Path, digest: str) -> Path | None:
        """The checkpoint of this run that has the SHA-256 ``digest``."""
        files = sorted(p for p in path.parent.rglob("*") if p.suffix in CHECKPOINTS and p.is_file())
        return next((p for p in files if sha256_file(p) == digest), None)


def load_epochs(path: Path | str) -> tuple[Epoch, ...]:
    """The rows of a run's metrics.csv, in order; none when there is no such file.

    Raises DataError naming the file, line and column that is corrupt.
    """
    path = Path(path)
    return _epochs(path) if path.is_file() else ()


def _epochs(path: Path) -> tuple[Epoch, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: column '{missing[0]}' is missing; expected {', '.join(COLUMNS)}")
            return tuple(_epoch(row, f"{path}, line {reader.line_num}") for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is corrupt or not readable ({error}): train again or remove the folder") from None


def _epoch(row: dict[str, str | None], where: str) -> Epoch:
    def number(name: str) -> float:
        text = row[name]
        if text is None:
            raise DataError(f"{where}: cut short before column '{name}'")
        try:
            return float(text) if text.strip() else float("nan")
        except ValueError:
            raise DataError(f"{where}: column '{name}' is {text!r}, a number is expected") from None

    epoch = number("epoch")
    if epoch != epoch:
        raise DataError(f"{where}: column 'epoch' is empty, a number is expected")
    return Epoch(
        stage=row["stage"] or "",
        epoch=int(epoch),
        train_loss=number("train_loss"),
        train_accuracy=number("train_accuracy"),
        val_loss=number("val_loss"),
        val_accuracy=number("val_accuracy"),
        lr=number("lr"),
        seconds=number("seconds"),
    )
