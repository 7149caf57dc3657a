"""Measurements side by side with optax: ``python -m benchmarks NAME``."""
