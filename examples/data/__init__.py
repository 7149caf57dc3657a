"""Data sets: read from files of the user's, shipped with packages, or made on the spot."""
