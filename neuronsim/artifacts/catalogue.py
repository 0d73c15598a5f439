"""Every kind of artifact that ships with neuronsim, and reading a file of whatever kind."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError, InputError
from .abstraction_levels import AbstractionLevels
from .base import KINDS, Artifact, read_json
from .conversion_study import ConversionStudy
from .dataset import Characterization
from .evaluation import Evaluation
from .netcdf import stored_attribute
from .noisy_weights_study import NoisyWeights
from .rate_card import RateCard
from .robustness_study import Study
from .training_run import TrainingRun
from .ttfs_card import TTFSCard
from .verification import Verification

#: in the order of the chain, from circuit to network
SHIPPED: tuple[type[Artifact], ...] = (
    Characterization,
    AbstractionLevels,
    TTFSCard,
    RateCard,
    Verification,
    TrainingRun,
    Evaluation,
    Study,
    ConversionStudy,
    NoisyWeights,
)


def kind_of(path: Path) -> str | None:
    """Kind that a file claims to be of; None: it is no artifact. Raises DataError for a JSON file that is corrupt."""
    kind = read_json(path).get("kind") if path.suffix == ".json" else stored_attribute(path, "kind")
    return kind if kind in KINDS else None


def read(path: Path | str) -> Artifact:
    """Read and check an artifact of whatever kind. Raises as :meth:`Artifact.load`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no artifact at {path}: give a dataset, card, training run, evaluation or study")
    kind = kind_of(path)
    if kind is not None:
        return KINDS[kind].load(path)
    if path.suffix == Characterization.suffix:
        return Characterization.load(path)  # which says what is wrong with it
    raise DataError(f"{path} is no artifact of neuronsim: its kind is not one of {', '.join(KINDS)}")
