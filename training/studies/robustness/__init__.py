"""Robustness of trained networks: quantization, weight noise, spike-time jitter, a card's noise, and what energy it takes.

The noise is frozen (one draw per chip: weight noise, mismatch) or temporal (one draw per inference: jitter), and the two are
never mixed in one draw.
"""
