"""Reading a training run: its curves (metrics.csv) and what it says about itself (run.json)."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError

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


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run folder. ``files``: those of its files that were read."""

    folder: Path
    about: dict[str, Any]
    epochs: tuple[Epoch, ...]
    files: tuple[Path, ...]

    @property
    def stages(self) -> list[str]:
        """Names of the stages in the order in which they ran."""
        return list(dict.fromkeys(epoch.stage for epoch in self.epochs))


def load_run(folder: Path | str) -> Run:
    """Read the run in ``folder``.

    Raises InputError when the folder has neither file, DataError naming the file, line and column that is corrupt.
    """
    folder = Path(folder)
    about_path, metrics_path = folder / "run.json", folder / "metrics.csv"
    files = tuple(path for path in (about_path, metrics_path) if path.is_file())
    if not files:
        raise InputError(
            f"no training run at {folder}: it has neither run.json nor metrics.csv; make one with 'neuronsim train'"
        )
    about = _about(about_path) if about_path in files else {}
    return Run(folder=folder, about=about, epochs=_epochs(metrics_path) if metrics_path in files else (), files=files)


def _about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is corrupt or not JSON ({error}): train again or remove the folder") from None
    if not isinstance(about, dict):
        raise DataError(f"{path} does not describe a run: a JSON object is expected, got {type(about).__name__}")
    return about


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
