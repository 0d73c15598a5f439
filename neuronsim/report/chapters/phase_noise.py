"""Chapter on phase noise: spread of the spike time over repeated runs of one stimulus."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import tau_s
from neuronsim.analysis.phase_noise import (
    NoiseLevel,
    Repeated,
    by_noise_level,
    card_sigma_tau,
    noise_free_error,
    repeated_stimuli,
)
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.units import percent, trimmed

from ..page.columns import Column, in_unit, plain, table
from ..page.elements import Block, Note, Picture, chapter
from ..page.figures import INK, SERIES, drawn, finish, legend_above, panels
from .transfer import WITHOUT_TAU

_COLUMNS: list[Column[NoiseLevel]] = [
    Column("noise level", "level", lambda level: trimmed(level, 3)),
    *plain("stimuli", "runs"),
    Column("median σ of the spike time", "median_sigma_s", in_unit("s", 3)),
    Column("rms noise at the threshold", "rms_threshold", percent),
]
_CAPTION = (
    "Left: spread of the spike time of repeated runs; additive noise at the threshold gives a line of slope one. "
    "Right: the same referred to the threshold; accumulated phase noise of free oscillators grows with time as σ² ∝ t, "
    "that inside the loop as σ² ∝ t − 1 + e⁻ᵗ."
)


@chapter("Phase noise", anchor="phase_noise", plan="phase_noise")
def phase_noise_section(rows: xr.Dataset, card: TTFSCard | None) -> Iterator[Block]:
    """Spread of the spike time over repeated runs of one stimulus, referred to the threshold through the slope."""
    if tau_s(rows) is None:
        yield WITHOUT_TAU
        return
    repeated = repeated_stimuli(rows)
    if repeated is None:
        text = "No stimulus was repeated at least five times with noise, so the spread of the spike time is unknown."
        yield Note(text=text, warning=True)
        return
    yield Picture(svg=phase_noise(repeated, card), caption=_CAPTION)
    yield table("Spike-time spread by noise level.", _COLUMNS, by_noise_level(repeated))
    error = noise_free_error(rows)
    text = "The dataset has no noise-free run of this plan: the numerical floor of the deck is unknown."
    if error.size:
        mean = percent(float(error.mean()))
        text = (
            f"Numerical floor: {error.size} noise-free runs of this deck differ from equation 4 by {mean} in the mean."
        )
    yield Note(text=text)
    noisy = rows["noise_seed"].values >= 0
    silent = int((np.isinf(rows["spike_time_s"].values) & noisy).sum())
    if silent:
        text = (
            f"{silent} of {int(noisy.sum())} noisy runs stayed silent: σ is that of the others, which is too small where the "
            "membrane is flat. The card's noise counts them."
        )
        yield Note(text=text, warning=True)


@drawn
def phase_noise(repeated: Repeated, card: TTFSCard | None) -> Figure:
    """Spread of the spike time of repeated runs over 1/slope, and referred to the threshold over the time, each with what the
    card predicts."""
    level, _, when, sigma, slope, _ = repeated
    drawing, (left, right) = panels(1, 2, height=3.2)
    for index, at in enumerate(np.unique(level)):
        here = level == at
        color, name = SERIES[index % len(SERIES)], f"noise {trimmed(at, 3)}"
        left.plot(1 / slope[here], 100 * sigma[here], "o", color=color, markersize=3.5, alpha=0.8, label=name)
        right.plot(when[here], (100 * sigma * slope)[here] ** 2, "o", color=color, markersize=3.5, alpha=0.8)
    if card is not None:
        order, predicted = np.argsort(1 / slope), card_sigma_tau(card, when, slope)
        left.plot((1 / slope)[order], 100 * predicted[order], "+", color=INK, markersize=5, label="card")
    finish(left, "1 / membrane slope at the spike (τ per threshold)", "σ of the spike time (% of τ)", log="xy")
    right.set(xlabel="spike time (τ)", ylabel="(σ · slope)²  (% of threshold)²")
    if card is not None and when.size:
        at = np.linspace(0.0, float(when.max()), 100)
        right.plot(at, 1e4 * card.timing_noise.variance_v(at), color=INK, linewidth=1.0, label="card")
        legend_above(right)
    right.set_ylim(bottom=0)
    right.set_xlim(left=0)
    return drawing
