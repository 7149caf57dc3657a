"""What is measured: the catalogue beside its peers, and the shapes of real networks."""
