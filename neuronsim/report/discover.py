"""Finding what a report can be made of, by the content of the files."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py

from ..artifacts.abstraction_levels import KIND
from ..errors import DataError, InputError


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Files for a report, sorted by path: datasets and levels files (netCDF), cards (JSON), run folders, evaluations, robustness
    and conversion studies, and reproductions of paper 000 (JSON)."""

    datasets: tuple[Path, ...] = ()
    cards: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()
    evaluations: tuple[Path, ...] = ()
    studies: tuple[Path, ...] = ()
    levels: tuple[Path, ...] = ()
    conversions: tuple[Path, ...] = ()
    noisy_weights: tuple[Path, ...] = ()

    @property
    def empty(self) -> bool:
        """True when there is nothing to report."""
        return not any(getattr(self, field.name) for field in fields(self))


def discover(folder: Path | str) -> Parts:
    """Search ``folder`` and everything below it, hidden folders left out.

    Datasets and levels files: ``*.nc``. Cards, evaluations, robustness and conversion studies: ``*.json`` with their fields;
    other JSON is passed over. Training runs: folders with ``run.json`` or ``metrics.csv``.

    Raises InputError when there is no such folder or nothing in it to report, DataError naming a corrupt JSON file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"no folder at {folder}: give the one that holds datasets, cards, training runs or evaluations"
        )
    datasets, levels, cards, runs, evaluations, studies = [], [], [], set(), [], []
    conversions, noisy = [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".nc", ".json", ".csv") and p.is_file()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix == ".nc":
            (levels if _is_levels(path) else datasets).append(path)
        elif path.name in ("run.json", "metrics.csv"):
            runs.add(path.parent)
        elif path.suffix == ".json":
            kind = _kind(path)
            if kind == "card":
                cards.append(path)
            elif kind == "evaluation":
                evaluations.append(path)
            elif kind == "study":
                studies.append(path)
            elif kind == "conversion":
                conversions.append(path)
            elif kind == "noisy-weights":
                noisy.append(path)
    parts = Parts(
        datasets=tuple(datasets),
        cards=tuple(cards),
        runs=tuple(sorted(runs)),
        evaluations=tuple(evaluations),
        studies=tuple(studies),
        levels=tuple(levels),
        conversions=tuple(conversions),
        noisy_weights=tuple(noisy),
    )
    if parts.empty:
        raise InputError(
            f"nothing to report in {folder}: it holds no dataset (*.nc), model card, training run or evaluation. "
            "Run 'neuronsim characterize', 'calibrate', 'train' or 'evaluate' with --out in it first"
        )
    return parts


def _is_levels(path: Path) -> bool:
    """Whether a netCDF file is of 'neuronsim compare'; what cannot be read counts as a dataset, whose reader says why."""
    try:
        with h5py.File(path, "r") as file:
            kind = file.attrs.get("kind")
    except OSError:
        return False
    return (kind.decode() if isinstance(kind, bytes) else kind) == KIND


def _kind(path: Path) -> str | None:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"{path} is corrupt or not JSON ({error}): make it again or remove it from the folder"
        ) from None
    if not isinstance(content, dict):
        return None
    if "conditions" in content and "checkpoint_sha256" in content:
        return "evaluation"
    if content.get("reproduction") == "noisy-weights":
        return "noisy-weights"
    if "kind" in content and "networks" in content and "points" in content:
        return "study"
    if content.get("kind") == "conversion" and "converted" in content:
        return "conversion"
    if "quality" in content and "provenance" in content and "neuron" in content:
        return "card"
    return None
