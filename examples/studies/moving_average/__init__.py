"""A moving average started at zero has the bias 1 - b^t; its correction in an animated picture."""
