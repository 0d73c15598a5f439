"""Many runs at once: scheduler, workers, cache, and the way of each chip (trimming, lead-in, runs)."""
