"""The frame of a benchmark: its command line, tables, files and picture."""
