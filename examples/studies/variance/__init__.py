"""Var[psi] of the adaptive rate: formulas, the real moving average, and what RAdam's r_t leaves of it."""
