"""Long-term memory: rare informative gradients need it, one huge spike makes it a burden."""
