"""What compiled kernels share: vector lanes, threads, random numbers."""
