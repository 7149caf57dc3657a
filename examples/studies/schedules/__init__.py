"""What an optimizer must be told in advance: how long training is, a warmup, the peak of its rate."""
