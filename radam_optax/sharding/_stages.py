"""A program in stages: what it reads may arrive, and what it makes may leave, while other stages compute."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun


class Stage(NamedTuple):
    """A part of a program."""

    arrivals: list[Var]  # Inputs that have a successor, which is made here.
    part: ClosedJaxpr  # From what it reads to what later stages read and what the program returns.


def divided(program: Jaxpr, results: Sequence[Any], successors: Mapping[Var, Any], least: int) -> list[Stage]:
    """The stages of a program; an equation stands where it is first needed.

    Args:
      program: what is to be computed.
      results: those of the program, in the order in which they are to be made.
      successors: the result that takes the place of an input.
      least: bytes that arrive in each stage, but for the last one.
    """
    made_by = {v: n for n, equation in enumerate(program.eqns) for v in equation.outvars}
    seen: set[Var] = set()
    groups: list[tuple[list[Var], set[int]]] = [([], set())]

    def pull(atoms: Iterable[Any]) -> None:
        """Adds to the last group what some variables are computed of."""
        (arrivals, equations), waiting = groups[-1], [*atoms]
        while waiting:
            v = waiting.pop()
            if isinstance(v, Literal) or v in seen:
                continue
            seen.add(v)
            if v in made_by:
                equations.add(made_by[v])
                seen.update(program.eqns[made_by[v]].outvars)
                waiting += program.eqns[made_by[v]].invars
            elif v in successors:
                arrivals.append(v)
                waiting.append(successors[v])

    for result in results:
        if sum(_nbytes(v) for v in groups[-1][0]) >= least:
            groups.append(([], set()))
        pull([result])
    for n, equation in enumerate(program.eqns):
        if equation.effects and not any(n in equations for _, equations in groups):  # Such as a print.
            pull(equation.invars)
            groups[-1][1].add(n)
    return _stages(program, groups)


def run(stages: Sequence[Stage], values: dict[Any, Any], successors: Mapping[Var, Any], ahead: int) -> None:
    """Adds what the stages make to the values of the variables.

    What arrives for a stage waits until what left ``ahead`` stages before is where it belongs: compilers
    would have all of it arrive at the beginning, since they take no notice of how much memory it needs there.
    """
    left = []
    for arrivals, part in stages:
        if arrivals and len(left) >= ahead:
            arrived, _ = jax.lax.optimization_barrier(([values[v] for v in arrivals], left[-ahead]))
            values.update(zip(arrivals, arrived, strict=True))
        made = jaxpr_as_fun(part)(*(values[v] for v in part.jaxpr.invars))
        values.update(zip(part.jaxpr.outvars, made, strict=True))
        if arrivals:
            left.append([values[v] for v in _variables(successors[v] for v in arrivals)])


def _stages(program: Jaxpr, groups: Sequence[tuple[list[Var], set[int]]]) -> list[Stage]:
    """Each group of equations as a program of its own."""
    needed, stages = {*_variables(program.outvars)}, []
    for arrivals, numbers in reversed(groups):
        equations = [program.eqns[n] for n in sorted(numbers)]
        made = [v for equation in equations for v in equation.outvars]
        read = dict.fromkeys(v for equation in equations for v in _variables(equation.invars))
        reads = [v for v in read if v not in {*made}]
        part = program.replace(
            constvars=[], invars=reads, outvars=[v for v in made if v in needed], eqns=equations
        )
        stages.append(Stage(arrivals, ClosedJaxpr(part, ())))
        needed.update(reads)
    return stages[::-1]


def _variables(atoms: Iterable[Any]) -> list[Any]:
    return [atom for atom in atoms if not isinstance(atom, Literal)]


def _nbytes(v: Any) -> int:
    return v.aval.size * v.aval.dtype.itemsize
