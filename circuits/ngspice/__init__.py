"""The two engines (shared library, command line) and what a simulation gives back."""
