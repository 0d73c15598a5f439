"""The levels file: one neuron at several levels of abstraction, on the same stimuli (netCDF; written by ``circuits.comparison``).

Dimensions ``level`` (from the most abstract down), ``run`` and ``input``; all times in tau, each level's own.

    level (level): name;  abstraction (level): closed form | event solver | averaged | switching | transistor | behavioral
    tau_s (level): NaN for the equations;  netlist_sha256 (level): "" for the equations
    spike_time_tau, reason (level, run): inf = silent in the window, NaN = failed, with the reason
    input_time_tau, weight (run, input): padded with inf and 0;  window_tau (run)

The first level is equation 4 of paper 004, the second the exact solution of the loop of second order
(:mod:`neuronsim.neuron.event_solver`) with the loop ratio, threshold and ramp of the first netlist.
"""

from __future__ import annotations

from typing import ClassVar

from .netcdf import NetcdfArtifact

RANK = ("closed form", "event solver", "averaged", "behavioral", "switching", "transistor")


class AbstractionLevels(NetcdfArtifact):
    """One neuron at several levels of abstraction; its schema is that of the module."""

    kind: ClassVar[str] = "abstraction_levels"
    noun: ClassVar[str] = "comparison of levels"
    made_by: ClassVar[str] = "neuronsim compare NEURON"
    variables: ClassVar[tuple[str, ...]] = (
        "abstraction",
        "tau_s",
        "netlist_sha256",
        "spike_time_tau",
        "reason",
        "input_time_tau",
        "weight",
        "window_tau",
    )
