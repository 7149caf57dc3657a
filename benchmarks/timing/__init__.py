"""Steps to time, and how they are timed: interleaved, in one process."""
