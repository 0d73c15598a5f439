"""Studies: many networks under many conditions, resumable; each gives one artifact."""
