"""Benches of the cells that the transistor neurons are built of: one file per cell, each a function of an operating point.

Every function puts all points of its sweep into one deck, side by side, and reads them off one simulation.
"""

from .bench import Condition
from .detector import DetectorCharacteristic, detector_characteristic
from .flip_flop import SetUp, set_up_time
from .jitter import NoiseSources, NoisyEdges, noise_sources, noisy_edges
from .oscillator import TuningCurve, tuning_curve
from .phase_step import phase_steps
from .synapse import SynapseLevels, synapse_levels

__all__ = [
    "Condition",
    "DetectorCharacteristic",
    "NoiseSources",
    "NoisyEdges",
    "SetUp",
    "SynapseLevels",
    "TuningCurve",
    "detector_characteristic",
    "noise_sources",
    "noisy_edges",
    "phase_steps",
    "set_up_time",
    "synapse_levels",
    "tuning_curve",
]
