"""Assemble a TTFS card from the plans of a dataset.

transfer: kernel and quality; phase_noise: temporal noise; mismatch: frozen spread; saturation: the detector's range.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..artifacts.card_parts import Energy, Frozen, Kernel, Provenance, Quality, Range, TimingNoise, WeightResponse
from ..artifacts.dataset import as_drawn, plans, silence
from ..artifacts.ttfs_card import TTFSCard
from ..errors import DataError
from ..statistics.bootstrap import bias_and_spread, rms_estimate
from ..statistics.estimate import Estimate
from ..statistics.sampling_grid import fit_resolution
from .coverage import coverage, covered
from .energy_fit import fit_energy, lost_field
from .kernel_fit import MIN_FIRED, KernelFit, fit_kernel
from .mismatch_fit import MismatchFit, fit_mismatch
from .noise_fit import NoiseFit, fit_noise_held_out, sigma_over_predicted
from .saturation_fit import fit_limit
from .stimuli import StimulusRows, nominal, of_plan, split


def calibrate_ttfs(
    dataset: xr.Dataset, *, held_out: float, seed: int, confidence: float, provenance: Provenance
) -> TTFSCard:
    """The card of a checked ttfs ``dataset``. Raises DataError where the data cannot support the kernel's fit."""
    _same_circuit(dataset)
    rows = nominal(of_plan(dataset, "transfer"))
    _enough(dataset, rows)
    fit_rows, test_rows = split(rows, held_out, np.random.default_rng(seed))
    defaults = json.loads(dataset.attrs["defaults"])
    kernel = fit_kernel(fit_rows, tau_guess=defaults.get("tau"), seed=seed, confidence=confidence)
    not_fitted = dict(kernel.not_fitted)
    resolution = fit_resolution(fit_rows.out, kernel.tau, confidence=confidence)
    grid = 0.0 if resolution is None else resolution.value
    quality, errors = _quality(fit_rows, test_rows, kernel, grid)
    floor = rms_estimate(errors * test_rows.out[_both(test_rows, kernel)], np.random.default_rng(seed), confidence)

    zero = Estimate.exact(0.0)
    names = ("timing_noise.sigma_v", "timing_noise.diffusion_v", "missing_probability")
    noise = NoiseFit(sigma_v=zero, diffusion_v=zero, missing=zero, not_fitted={})
    noisy_rows = None
    with _optional(dataset, "phase_noise", not_fitted, names) as rows_of_plan:
        if rows_of_plan is not None:
            noise, unseen = fit_noise_held_out(
                rows_of_plan[rows_of_plan.chip == -1],
                kernel,
                fraction=held_out,
                seed=seed,
                confidence=confidence,
                in_loop="noise_memory" in dataset.attrs,
                resolution_s=grid,
            )
            not_fitted |= noise.not_fitted
            if unseen is not None:
                noisy_rows = unseen[unseen.noise_seed >= 0]
                ratio = sigma_over_predicted(unseen, kernel, noise, resolution_s=grid, confidence=confidence)
                quality = quality.model_copy(update={"sigma_over_predicted": ratio})
    names = ("frozen.gain_sigma", "frozen.ramp_sigma_per_tau", "weights.mismatch_sigma")
    spread = MismatchFit(gain_sigma=zero, ramp_sigma=zero, weight_sigma=zero)
    with _optional(dataset, "mismatch", not_fitted, names) as rows_of_plan:
        if rows_of_plan is not None:
            spread = fit_mismatch(rows_of_plan, kernel, seed=seed, confidence=confidence)
    limit = None
    with _optional(dataset, "saturation", not_fitted, ("kernel.xor_limit_weight",)) as rows_of_plan:
        if rows_of_plan is not None:
            limit = fit_limit(
                nominal(rows_of_plan),
                kernel,
                floor=float(np.sqrt((errors**2).mean())),
                seed=seed,
                confidence=confidence,
            )
    energy = _energy(dataset, not_fitted, seed, confidence)
    finite = np.isfinite(rows.times)
    inputs, times = rows.inputs, rows.times[finite] / kernel.tau
    card = TTFSCard(
        neuron=str(dataset.attrs["neuron"]),
        not_fitted=not_fitted,
        quality=quality,
        provenance=provenance,
        kernel=Kernel(
            tau_s=kernel.estimates["tau_s"],
            second_pole_ratio=kernel.estimates.get("second_pole_ratio"),
            delay_s=kernel.estimates["delay_s"],
            ramp_per_tau=kernel.estimates["ramp_per_tau"],
            xor_limit_weight=limit,
        ),
        weights=WeightResponse(gain=kernel.estimates["gain"], mismatch_sigma=spread.weight_sigma),
        timing_noise=TimingNoise(
            sigma_v=noise.sigma_v,
            diffusion_v=noise.diffusion_v,
            loop_v=noise.loop_v,
            floor_s=floor,
            resolution_s=resolution,
        ),
        frozen=Frozen(gain_sigma=spread.gain_sigma, ramp_sigma_per_tau=spread.ramp_sigma),
        missing_probability=noise.missing,
        energy=energy,
        valid_inputs=Range(low=float(inputs.min()), high=float(inputs.max())),
        valid_weight=Range(low=float(rows.weights[finite].min()), high=float(rows.weights[finite].max())),
        valid_time_tau=Range(low=float(times.min()), high=float(times.max())),
    )
    judged = _coverage(card, fit_rows, test_rows, noisy_rows, kernel, seed, confidence)
    return card.model_copy(update={"quality": quality.model_copy(update=judged)}).signed()


def _coverage(
    card: TTFSCard,
    fit_rows: StimulusRows,
    test_rows: StimulusRows,
    noisy_rows: StimulusRows | None,
    kernel: KernelFit,
    seed: int,
    confidence: float,
) -> dict[str, Any]:
    """The fields of Quality about the predicted interval."""
    if noisy_rows is None:
        # the card's floor is of the held-out runs themselves: that of the fit must do to judge them
        both = fit_rows[_both(fit_rows, kernel)]
        error = kernel.predict(both) - both.out
        floor = rms_estimate(error, np.random.default_rng(seed), confidence)
        own = card.model_copy(update={"timing_noise": card.timing_noise.model_copy(update={"floor_s": floor})})
        rows = _either(test_rows, kernel)
        inside = covered(own, rows, temporal=False)
    else:
        rows = _either(noisy_rows, kernel)
        inside = covered(card, rows, temporal=True)
    return {
        "coverage": coverage(inside, rows.trial, confidence),
        "n_coverage": len(rows),
        "coverage_of": "noise_free" if noisy_rows is None else "noisy",
    }


def _same_circuit(dataset: xr.Dataset) -> None:
    """Refuse 'transfer' rows of different circuits: their mixture has no kernel."""
    chosen = (
        (dataset["plan"].values == "transfer") & (dataset["status"].values == "ok") & (dataset["chip"].values == -1)
    )
    for name in dataset.data_vars:
        if str(name).startswith("parameter_"):
            values = dataset[name].values[chosen]
            if values.size and np.ptp(values) > 1e-9 * np.abs(values).max():
                raise DataError(
                    f"plan 'transfer' was run with different values of {name}, from {values.min():g} to "
                    f"{values.max():g}: "
                    "one card describes one circuit; calibrate each value from a dataset of its own"
                )


def _enough(dataset: xr.Dataset, rows: StimulusRows) -> None:
    meant = dataset["plan"].values == "transfer"
    if not meant.any():
        there = sorted(plans(dataset)) or sorted(set(dataset["plan"].values.tolist()))
        raise DataError(f"plan 'transfer' is not in the dataset (it has {there}): characterize with --plan transfer")
    if len(rows) and not rows.fired.any():
        raise DataError(
            f"the neuron stayed silent in all {len(rows)} runs of plan 'transfer' (window {rows.window.max():.3g} "
            "s): raise the weights or the window, or correct [spike] of the manifest"
            + (f" ({said})" if (said := silence(dataset)) else "")
        )
    if rows.fired.sum() < MIN_FIRED:
        failed = int(meant.sum() - (dataset["status"].values[meant] == "ok").sum())
        raise DataError(
            f"plan 'transfer' has {int(rows.fired.sum())} usable spikes ({int(meant.sum())} runs, {failed} failed, "
            f"{int((~rows.fired).sum())} silent): at least {MIN_FIRED} are needed; run it with more trials"
        )


@contextmanager
def _optional(
    dataset: xr.Dataset, plan: str, not_fitted: dict[str, str], fields: tuple[str, ...]
) -> Iterator[StimulusRows | None]:
    """Rows of an optional plan, or None; notes of each field why it stays neutral (plan absent, or too small)."""
    if not (dataset["plan"].values == plan).any():
        not_fitted |= dict.fromkeys(fields, f"plan '{plan}' is not in the dataset: characterize with --plan {plan}")
        yield None
        return
    try:
        yield of_plan(dataset, plan)
    except DataError as error:
        not_fitted |= dict.fromkeys(fields, str(error))


def _either(rows: StimulusRows, kernel: KernelFit) -> StimulusRows:
    """Rows in which circuit or card fires: that both are silent is no feat of an interval."""
    return rows[rows.fired | np.isfinite(kernel.predict(rows))]


def _both(rows: StimulusRows, kernel: KernelFit) -> NDArray[np.bool_]:
    return rows.fired & np.isfinite(kernel.predict(rows))


def _quality(
    fit_rows: StimulusRows, test_rows: StimulusRows, kernel: KernelFit, resolution: float
) -> tuple[Quality, NDArray[np.float64]]:
    """Quality, and the signed relative errors of held-out runs in which both circuit and card fire.

    ``resolution`` in seconds (0: none): no card can predict a sampled output better than half of it.
    """
    predicted = kernel.predict(test_rows)
    both = test_rows.fired & np.isfinite(predicted)
    if not both.any():
        raise DataError(
            f"no held-out run fires in both circuit and card ({len(test_rows)} held out): the card does not "
            "describe this circuit, or "
            "too few runs were held out"
        )
    errors = predicted[both] / test_rows.out[both] - 1.0
    late, out = np.abs(predicted[both] - test_rows.out[both]), test_rows.out[both]
    p95 = float(np.quantile(np.abs(errors), 0.95))
    bias, spread = bias_and_spread(errors, p95)
    quality = Quality(
        n_compared=int(both.sum()),
        bias=bias,
        spread=spread,
        median_over_target=float(np.median(late / np.maximum(0.01 * out, resolution / 2))),
        p95_over_target=float(np.quantile(late / np.maximum(0.03 * out, resolution), 0.95)),
        n_fit=int(fit_rows.fired.sum()),
        n_held_out=len(test_rows),
        median_error=float(np.median(np.abs(errors))),
        p95_error=p95,
        spike_agreement=float((test_rows.fired == np.isfinite(predicted)).mean()),
    )
    return quality, errors


def _energy(dataset: xr.Dataset, not_fitted: dict[str, str], seed: int, confidence: float) -> Energy | None:
    chosen = (dataset["status"].values == "ok") & as_drawn(dataset)

    def column(name: str) -> Any:
        return dataset[name].values[chosen].astype(np.float64)

    energy, reason = fit_energy(
        column("energy_j"),
        np.isfinite(column("spike_time_s")).astype(float),
        column("window_s"),
        seed=seed,
        confidence=confidence,
    )
    if reason:
        not_fitted[lost_field(energy)] = reason
    return energy
