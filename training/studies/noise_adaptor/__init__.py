"""Paper 003: training with quantization noise for few time steps."""
