"""One home for every interval: estimates, bootstrap, proportions, Student's t, draws crossed with images."""
