"""The TTFS card of a dataset, term by term.

transfer: kernel and quality; phase_noise: temporal noise; mismatch: frozen spread; saturation: the detector's range.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..artifacts.card_parts import Frozen, Kernel, Provenance, Range, WeightResponse
from ..artifacts.ttfs_card import TTFSCard
from ..errors import DataError
from ..statistics.bootstrap import rms_estimate
from ..statistics.estimate import Estimate
from ..statistics.sampling_grid import fit_resolution
from . import mismatch_fit, noise_fit, saturation_fit
from .energy_fit import fit_energy_of
from .held_out import held_out_coverage, held_out_quality, over_targets, split
from .kernel_fit import fit_kernel
from .noise_held_out import fit_noise_held_out, sigma_over_predicted
from .stimuli import StimulusRows, of_plan, transfer_runs

T = TypeVar("T")


def calibrate_ttfs(
    dataset: xr.Dataset, *, held_out: float, seed: int, confidence: float, provenance: Provenance
) -> TTFSCard:
    """The card of a checked ttfs ``dataset``. Raises DataError where the data cannot support the kernel's fit."""
    how: dict[str, Any] = {"seed": seed, "confidence": confidence}
    rows = transfer_runs(dataset)
    fit_rows, test_rows = split(rows, held_out, np.random.default_rng(seed))
    kernel = fit_kernel(fit_rows, tau_guess=json.loads(dataset.attrs["defaults"]).get("tau"), **how)
    resolution = fit_resolution(fit_rows.out, kernel.tau, confidence=confidence)
    grid = 0.0 if resolution is None else resolution.value
    predicted = kernel.predict(test_rows)
    quality, errors, both = held_out_quality(test_rows.out, predicted, silent=np.inf, n_fit=int(fit_rows.fired.sum()))
    rms = float(np.sqrt((errors**2).mean()))
    floor = rms_estimate(errors * test_rows.out[both], np.random.default_rng(seed), confidence)

    not_fitted = dict(kernel.not_fitted)
    noise_options = {"fraction": held_out, "in_loop": "noise_memory" in dataset.attrs, "resolution_s": grid}
    fit_noise = partial(fit_noise_held_out, kernel=kernel, **noise_options, **how)
    fit_mismatch = partial(mismatch_fit.fit_mismatch, kernel=kernel, **how)
    fit_limit = partial(saturation_fit.fit_limit, kernel=kernel, floor=rms, **how)
    none = noise_fit.NoiseFit(), None
    noise, unseen = _optional(dataset, "phase_noise", fit_noise, none, noise_fit.FIELDS, not_fitted)
    not_fitted |= noise.not_fitted
    exact = [Estimate.exact(0.0)] * 3
    gain, ramp, weight = _optional(dataset, "mismatch", fit_mismatch, exact, mismatch_fit.FIELDS, not_fitted)
    limit = _optional(dataset, "saturation", fit_limit, None, saturation_fit.FIELDS, not_fitted)
    energy = fit_energy_of(dataset, not_fitted, **how)

    values, sent = kernel.estimates, np.isfinite(rows.times)
    card = TTFSCard(
        neuron=str(dataset.attrs["neuron"]),
        not_fitted=not_fitted,
        quality=quality,
        provenance=provenance,
        kernel=Kernel(
            tau_s=values["tau_s"],
            second_pole_ratio=values.get("second_pole_ratio"),
            delay_s=values["delay_s"],
            ramp_per_tau=values["ramp_per_tau"],
            xor_limit_weight=limit,
        ),
        weights=WeightResponse(gain=values["gain"], mismatch_sigma=weight),
        timing_noise=noise.term(floor_s=floor, resolution_s=resolution),
        frozen=Frozen(gain_sigma=gain, ramp_sigma_per_tau=ramp),
        missing_probability=noise.missing,
        energy=energy,
        valid_inputs=_range(rows.inputs),
        valid_weight=_range(rows.weights[sent]),
        valid_time_tau=_range(rows.times[sent] / kernel.tau),
    )
    judged = over_targets(test_rows.out[both], predicted[both], grid)
    noisy = None
    if unseen is not None:
        ratio = sigma_over_predicted(unseen, kernel, card.timing_noise, confidence=confidence)
        judged, noisy = judged | {"sigma_over_predicted": ratio}, unseen[unseen.noise_seed >= 0]
    judged |= held_out_coverage(card, kernel, fit_rows=fit_rows, test_rows=test_rows, noisy_rows=noisy, **how)
    return card.model_copy(update={"quality": quality.model_copy(update=judged)}).signed()


def _optional(
    dataset: xr.Dataset,
    plan: str,
    fit: Callable[[StimulusRows], T],
    neutral: T,
    fields: tuple[str, ...],
    not_fitted: dict[str, str],
) -> T:
    """``fit`` of the runs of an optional plan, else ``neutral`` and a note of each field why (plan absent, or too small)."""
    why = f"plan '{plan}' is not in the dataset: characterize with --plan {plan}"
    if (dataset["plan"].values == plan).any():
        try:
            return fit(of_plan(dataset, plan))
        except DataError as error:
            why = str(error)
    not_fitted |= dict.fromkeys(fields, why)
    return neutral


def _range(values: NDArray) -> Range:
    return Range(low=float(values.min()), high=float(values.max()))
