"""``neuronsim.calibrate``: from a characterization dataset to a model card."""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import xarray as xr

from ..artifacts.card_parts import Provenance
from ..artifacts.dataset import Characterization, plans
from ..artifacts.rate_card import RateCard
from ..artifacts.ttfs_card import TTFSCard
from ..errors import DataError, InputError
from .rate import calibrate_rate
from .ttfs import calibrate_ttfs


def calibrate(
    dataset: xr.Dataset | Path | str,
    *,
    held_out: float = 0.3,
    seed: int = 0,
    confidence: float = 0.95,
    out: Path | str | None = None,
) -> TTFSCard | RateCard:
    """Fit a model card to a characterization dataset (a path, or the dataset of :func:`neuronsim.artifacts.dataset.load`).

    ``held_out`` is the fraction of the transfer (or f-I) runs that the fit never sees and that the card's quality is
    measured on; ``seed`` draws that split and the bootstrap; ``confidence`` is the level of the intervals. With
    ``out`` the card is also written there. The same dataset and options give the same card.

    What a plan missing from the dataset would have given stays at its neutral value and is named, with the reason, in
    ``card.not_fitted``, as is what the data cannot resolve.

    Raises InputError for options out of range or a missing file; DataError for a corrupt dataset, or one that cannot
    support a card: every run failed or stayed silent, too few usable runs, no spread of the stimulus, a parameter left
    open by more than 50 %.
    """
    if not 0.05 <= held_out <= 0.9:
        raise InputError(
            f"held_out = {held_out:g} is out of range [0.05, 0.9]: the fraction of runs kept out of the fit"
        )
    if not 0.5 <= confidence < 1.0:
        raise InputError(f"confidence = {confidence:g} is out of range [0.5, 1): use 0.95 for 95 % intervals")
    if not (isinstance(seed, (int, np.integer)) and seed >= 0):
        raise InputError(f"seed = {seed!r} is out of range: a whole number >= 0")
    source = Characterization(dataset) if isinstance(dataset, xr.Dataset) else Characterization.load(dataset)
    data = source.data
    _some_success(data)
    options = {"held_out": held_out, "seed": int(seed), "confidence": confidence}
    fit = calibrate_ttfs if data.attrs["code"] == "ttfs" else calibrate_rate
    card = fit(
        data,
        held_out=held_out,
        seed=int(seed),
        confidence=confidence,
        provenance=_provenance(data, source.content_digest(), options),
    )
    if out is not None:
        card.save(out)
    return card


def _some_success(dataset: xr.Dataset) -> None:
    status = dataset["status"].values
    if status.size == 0:
        raise DataError("the dataset has no runs: characterize again")
    if not (status == "ok").any():
        reasons, counts = np.unique(dataset["reason"].values.astype(str), return_counts=True)
        raise DataError(
            f"all {status.size} runs of the dataset failed, most often ({counts.max()}x) with: {reasons[counts.argmax()]!r}; "
            "fix the netlist or its parameters and characterize again"
        )


def _provenance(dataset: xr.Dataset, digest: str, options: dict[str, float]) -> Provenance:
    versions = {name: str(value) for name, value in json.loads(dataset.attrs["versions"]).items()}
    for package in ("numpy", "scipy"):
        versions[f"calibrate {package}"] = importlib.metadata.version(package)
    from .. import __version__

    versions["calibrate neuronsim"] = __version__
    return Provenance(
        dataset_digest=digest,
        netlist_sha256=str(dataset.attrs["netlist_sha256"]),
        engine=str(dataset.attrs["engine"]),
        engine_version=str(dataset.attrs["engine_version"]),
        manifest=str(dataset.attrs.get("manifest", "")),
        plans=plans(dataset),
        parameters={name: float(value) for name, value in json.loads(dataset.attrs["defaults"]).items()},
        seed=int(dataset.attrs["seed"]),
        versions=versions,
        calibration=options,
    )
