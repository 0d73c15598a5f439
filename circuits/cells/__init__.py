"""Benches of the cells that the transistor neurons are built of: one file per cell, each a function of an operating point.

Every function puts all points of its sweep into one deck, side by side, and reads them off one simulation.
"""
