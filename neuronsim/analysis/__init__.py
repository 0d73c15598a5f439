"""Figures of merit of a circuit from its dataset: computed here, shown by the report."""
