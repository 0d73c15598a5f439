"""The rate card of a dataset, term by term.

fi: the f-I curve and quality; membrane_noise: interval jitter; mismatch: spread of the threshold.
"""

from typing import Any

import numpy as np
import xarray as xr

from ..artifacts.card_parts import Provenance, Range
from ..artifacts.rate_card import RateCard
from ..neuron.firing_rate import rate
from .energy_fit import fit_energy_of
from .fi_fit import fi_runs, fit_fi
from .held_out import held_out_quality, split_curve
from .isi_jitter_fit import fit_isi_jitter
from .threshold_mismatch_fit import fit_threshold_mismatch


def calibrate_rate(
    dataset: xr.Dataset, *, held_out: float, seed: int, confidence: float, provenance: Provenance
) -> RateCard:
    """The card of a checked rate ``dataset``. Raises DataError where the data cannot support the f-I curve."""
    how: dict[str, Any] = {"seed": seed, "confidence": confidence}
    current, hertz = fi_runs(dataset)
    fit, test = split_curve(current, hertz, held_out, np.random.default_rng(seed))
    firing = fit & (hertz > 0)
    curve = fit_fi(current[firing], hertz[firing], **how)
    predicted = rate(current[test], **curve.neuron)
    quality, _, _ = held_out_quality(hertz[test], predicted, silent=0.0, n_fit=int(fit.sum()))
    valid = Range(low=float(current.min()), high=float(current.max()))
    not_fitted: dict[str, str] = {}
    jitter, judged = fit_isi_jitter(dataset, curve, valid, not_fitted, held_out=held_out, **how)
    mismatch, mismatch_error = fit_threshold_mismatch(dataset, curve, not_fitted, confidence=confidence)
    energy = fit_energy_of(dataset, not_fitted, **how)
    return RateCard(
        neuron=str(dataset.attrs["neuron"]),
        not_fitted=not_fitted,
        quality=quality.model_copy(update=judged | {"threshold_mismatch_error": mismatch_error}),
        provenance=provenance,
        **curve.estimates,
        isi_jitter=jitter,
        threshold_mismatch=mismatch,
        energy=energy,
        valid_current_a=valid,
    ).signed()
