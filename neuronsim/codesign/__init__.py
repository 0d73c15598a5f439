"""Circuit and network together: the only room besides the command line that knows both circuits and training."""
