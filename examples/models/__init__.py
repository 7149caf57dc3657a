"""Models of the studies and the trainers, in Flax NNX."""
