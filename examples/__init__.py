"""Runnable studies with radam_optax: ``python -m examples`` lists them."""
