"""Kernels of a card's neuron: second pole, ramp, detector range; spike times and gradients."""
