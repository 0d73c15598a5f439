"""From a characterization dataset to a model card: one fit per term of the card, and its quality on held-out runs."""
