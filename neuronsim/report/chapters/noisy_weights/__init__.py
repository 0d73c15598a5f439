"""Chapter of paper 000: ANN and SNN under noisy synaptic weights."""
