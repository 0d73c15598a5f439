"""Kernels of equation 4: exact spike times and gradients on CPU, GPU and in plain torch."""
