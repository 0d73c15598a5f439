"""Paper 000: spiking against analog networks under noisy synaptic weights."""
