"""What every link stands on: leaves, states, scalars, domains, calls. It knows no optimizer."""
