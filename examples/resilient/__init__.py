"""A training loop that survives faults."""
