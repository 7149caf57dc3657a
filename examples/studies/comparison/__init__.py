"""Six optimizers at three learning rates on the digits."""
