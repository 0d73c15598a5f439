"""Equations of the neurons: closed forms, event solvers, firing rates. No files, no circuits."""
