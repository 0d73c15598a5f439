"""Signal-to-noise ratio of the winning output's spike count: temporal noise averages out over spikes, frozen noise does not."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.noisy_weights import architectures, over_root, root_law
from neuronsim.artifacts.noisy_weights_study import NoisyWeights, SnrPoint
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import INK, MUTED, SERIES, drawn, error_bars, legend_above, panels, plain_ticks

from .cells import NETWORK

_COLUMNS: list[Column[SnrPoint]] = [
    NETWORK,
    Column("noise", "noise"),
    Column("level", "level", "{:.0%}".format),
    Column("steps", "steps"),
    Column("spikes of the winner", "spikes", "{:.1f}".format),
    Column("signal to noise", lambda p: f"{p.snr:.2f} [{p.low:.2f}, {p.high:.2f}]"),
    Column("over √spikes", over_root, "{:.2f}".format),
]


def snr_table(study: NoisyWeights) -> Table:
    """Every ratio, and over the root of the spike count."""
    caption = (
        "Mean over standard deviation of the winning output's spike count in repeated inferences of the same images. Noise that "
        "is averaged by n spikes grows like √n (paper 000, IV-A): the last column is constant. Frozen noise does not average out."
    )
    return table(caption, _COLUMNS, study.snr)


@drawn
def snr_plot(study: NoisyWeights) -> Figure:
    """Signal-to-noise ratio against the spike count; the dashed lines grow like its square root."""
    drawing, axes = panels(height=3.4)
    for number, name in enumerate(architectures(study)):
        color = SERIES[number]
        for kind, line in (("temporal", "-"), ("frozen", (0, (1, 2)))):
            points = [p for p in study.snr if p.architecture == name and p.noise == kind]
            if not points:
                continue
            x, y = np.array([p.spikes for p in points]), [p.snr for p in points]
            axes.errorbar(
                x, y, yerr=error_bars(y, [p.low for p in points], [p.high for p in points]), color=color, linestyle=line,
                marker="o", capsize=2.5, label=f"{name}, {kind}",
            )  # fmt: skip
            if kind == "temporal":
                axes.plot(x, root_law(points) * np.sqrt(x), color=MUTED, linestyle=(0, (4, 2)), linewidth=0.9)
    axes.set(xscale="log", yscale="log", xlabel="spikes of the winning output", ylabel="mean / standard deviation")
    axes.set_title("dashed: ∝ √n", color=INK, loc="right")
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    if axes.lines:
        legend_above(axes, columns=4)
    return drawing
