"""Calls a function with words: ``python -m tests.support.call MODULE FUNCTION WORD ...``."""

import importlib
import sys

if __name__ == "__main__":
    module, function, *words = sys.argv[1:]
    getattr(importlib.import_module(module), function)(*words)
