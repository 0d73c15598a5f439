"""Chapter of robustness: quantization, weight noise, jitter, chips, energy."""
