"""Time-to-first-spike layers with exact spike times and gradients."""

from .circuit_function import Circuit, circuit_layer
from .encoding import encode
from .first_spike import first_spike
from .layers import SpikingLayer, TTFSConv2d, TTFSDropout, TTFSLinear, TTFSMaxPool2d
from .loss import spike_time_loss, weight_sum_penalty

__all__ = [
    "Circuit",
    "SpikingLayer",
    "TTFSConv2d",
    "TTFSDropout",
    "TTFSLinear",
    "TTFSMaxPool2d",
    "circuit_layer",
    "encode",
    "first_spike",
    "spike_time_loss",
    "weight_sum_penalty",
]
