"""The circuits: SPICE netlists with a manifest each. No code: this file only makes the folder a package with data."""
