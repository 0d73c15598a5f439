"""Published values, one file a paper; what stands beside ours in tables and plots."""
