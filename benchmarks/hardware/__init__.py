"""What compilers make of a step for hardware that need not be here."""
