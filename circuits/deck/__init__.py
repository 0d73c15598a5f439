"""From a run to the SPICE deck: sources, noise, operating point, options."""
