"""One subject each: its plots and tables together."""
