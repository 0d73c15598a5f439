"""Spread of the threshold from chip to chip (plan 'mismatch' of a rate neuron).

V_th scales Q and I_rh alike, so each inter-spike interval gives the chip's scale in closed form. A capacitor scales Q
alone: without leak that is the same, with leak it looks like a threshold that is a little less far off, the less the
current exceeds the rheobase.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..artifacts.dataset import select
from ..errors import DataError
from ..neuron.firing_rate import rate
from ..statistics.bootstrap import sigma_estimate
from ..statistics.estimate import Estimate
from .fi_fit import FIFit

MIN_CHIPS = 8


def fit_threshold_mismatch(
    dataset: xr.Dataset, curve: FIFit, not_fitted: dict[str, str], *, confidence: float
) -> tuple[Estimate, float | None]:
    """Relative spread over chips of the charge per spike, and the median error of held-out rates (None: none could be).

    The error is |f_card / f_circuit - 1| of every chip at every other current, from that chip's scale at the currents
    between. Raises DataError for fewer than 8 firing chips.
    """
    rows = select(dataset, "mismatch")
    chips = rows["chip"].values
    if not (chips >= 0).any():
        not_fitted["threshold_mismatch"] = "the dataset has no chips drawn with mismatch (plan 'mismatch')"
        return Estimate.exact(0.0), None
    hertz, current = (rows[name].values.astype(np.float64) for name in ("rate_hz", "input_current_a"))
    scale = _scales(hertz, current, chips, curve)
    amps, drawn = np.unique(current[chips >= 0]), np.unique(chips[chips >= 0])
    test = np.isin(current, amps[1::2])  # every other current, where there is more than one
    per_chip = {chip: scale[(chips == chip) & ~test & np.isfinite(scale)] for chip in drawn}
    own = {chip: float(values.mean()) for chip, values in per_chip.items() if values.size}
    if len(own) < MIN_CHIPS:
        raise DataError(f"plan 'mismatch' left {len(own)} firing chips: at least {MIN_CHIPS} are needed")
    freedom, variance = len(own) - 1, float(np.var(list(own.values()), ddof=1))
    estimate = sigma_estimate(variance, variance * np.sqrt(2.0 / freedom), freedom, confidence)
    judged = np.flatnonzero(test & (hertz > 0) & np.isin(chips, list(own)))
    if not judged.size:
        return estimate, None
    factor = np.array([own[chip] for chip in chips[judged]])
    neuron = {name: value * (1.0 if name == "refractory" else factor) for name, value in curve.neuron.items()}
    return estimate, float(np.median(np.abs(rate(current[judged], **neuron) / hertz[judged] - 1.0)))


def _scales(hertz: Array, current: Array, chips: NDArray[np.int64], curve: FIFit) -> Array:
    """The factor (runs,) on the threshold that each interval shows, over that of the nominal chip; NaN where silent."""
    q, i_rh, t_ref = curve.neuron.values()
    with np.errstate(divide="ignore"):
        charging = np.where(hertz > 0, 1.0 / hertz - t_ref, np.nan)
    scale = current * charging / q if i_rh == 0 else -np.expm1(-charging * i_rh / q) * current / i_rh
    # Divided by the nominal chip's own value at each current, where it was run: takes out what the f-I curve leaves
    # unexplained.
    known = (chips == -1) & np.isfinite(scale)
    nominal = dict(zip(current[known].tolist(), scale[known].tolist(), strict=True))
    return scale / np.array([nominal.get(i, 1.0) for i in current.tolist()])
