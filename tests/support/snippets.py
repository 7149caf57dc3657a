"""Pieces of code that documentation shows."""

import ast
import importlib.util

import jax


def is_runnable(code: str) -> bool:
    """Whether the packages that it imports are there."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    names += ["orbax.checkpoint"] * ("import checkpoint" in code or "Checkpoints" in code)
    # Under jit the CPU backend of JAX 0.8 leaves on the device what is to go to the host.
    has_host = "offload_state" not in code or jax.__version_info__ >= (0, 10)
    return has_host and all(importlib.util.find_spec(name.split(".")[0]) for name in names)
