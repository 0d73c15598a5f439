"""Networks trained in full precision and quantized, converted to integrate-and-fire neurons that run few steps (paper 003)."""
