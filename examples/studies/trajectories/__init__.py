"""Ten optimizers on a ravine, a saddle and six minima; how long their first steps are, and why."""
