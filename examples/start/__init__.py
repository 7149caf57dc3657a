"""Where to start: one self-contained file each, to be read from top to bottom and copied."""
