"""A trainer on a mesh of devices, in one process or many."""
