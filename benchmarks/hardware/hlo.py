"""What a compiled program does, read from its HLO: kernels, the memory they access, collectives."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-", "ragged-all-to-all", "reduce-scatter")
# They name, group or wait for arrays that others have made.
FREE = {"after-all", "bitcast", "constant", "get-tuple-element", "opt-barrier", "parameter", "tuple"}
# They run other computations, which do the work.
CALLERS = {"call", "while", "conditional", "async-start"}
# They move an array between memories while kernels run; where the target stands among their results.
MOVES = {"copy-start": 0, "slice-start": 1}

_ARRAY = re.compile(r"(\w+)\[([\d,]*)\](?:\{([^}]*)\})?")
_CALLED = re.compile(r"\b(?:to_apply|calls|condition|body|\w+_computations?)=\{?((?:%[\w.-]+(?:, )?)+)")
_NAME = re.compile(r"%([\w.-]+)")


class Array(NamedTuple):
    """An array that an instruction makes."""

    elements: int
    bytes: int
    main: bool  # In the device's main memory, not in a memory on the chip.
    host: bool  # In the memory of the host.


class Instruction(NamedTuple):
    """One line of a computation."""

    opcode: str
    results: tuple[Array, ...]
    operands: tuple[str, ...]
    called: tuple[str, ...]


class Kernel(NamedTuple):
    """An instruction that does work."""

    opcode: str
    elements: int  # of its largest array.
    bytes: int  # read from and written to the main memory; an operand is read once.


def kernels(text: str) -> list[Kernel]:
    """The kernels that a program launches, in order; those of a loop's body and of every branch once.

    Args:
      text: ``compiled.as_text()``, the program after all of XLA's passes.

    Raises:
      ValueError: the text has no entry computation.
    """
    computations, entry = _parse(text)
    if entry is None:
        raise ValueError("text must be a compiled HLO module; it has no ENTRY computation")
    return list(_kernels(computations, entry))


class Event(NamedTuple):
    """What happens in the order of a program: a kernel, or a transfer that begins or is waited for."""

    name: str
    opcode: str
    waits_for: str  # The transfer that must have ended: none where this is "".
    main: int  # Bytes read from and written to the main memory.
    arriving: int  # Bytes that come from the host.
    leaving: int  # Bytes that go to the host.


def events(text: str) -> list[Event]:
    """The schedule of a program's entry, see :func:`kernels`; loops and calls in it are no events."""
    computations, entry = _parse(text)
    if entry is None:
        raise ValueError("text must be a compiled HLO module; it has no ENTRY computation")
    lines, found = computations[entry], []
    for name, instruction in lines.items():
        opcode = instruction.opcode
        if opcode in FREE | CALLERS:
            continue
        operands = [
            array for operand in dict.fromkeys(instruction.operands) for array in lines[operand].results
        ]
        results = instruction.results
        if opcode in MOVES:
            operands, results = operands[:1], results[MOVES[opcode] :][:1]
        if opcode.endswith("-done"):
            found.append(Event(name, opcode, instruction.operands[0], 0, 0, 0))
        else:
            found.append(
                Event(
                    name,
                    opcode,
                    "",
                    sum(array.bytes for array in (*operands, *results) if array.main),
                    sum(array.bytes for array in operands if array.host),
                    sum(array.bytes for array in results if array.host),
                )
            )
    return found


def moved_bytes(text: str) -> int:
    """What a program reads from and writes to the main memory, see :func:`kernels`."""
    return sum(kernel.bytes for kernel in kernels(text))


def collectives(text: str) -> int:
    """The number of collective operations in a program: all-reduce, all-gather and their kind."""
    computations, _ = _parse(text)
    opcodes = (i.opcode for lines in computations.values() for i in lines.values())
    return sum(opcode.startswith(COLLECTIVES) and not opcode.endswith("-done") for opcode in opcodes)


def _kernels(computations: dict[str, dict[str, Instruction]], name: str) -> Iterator[Kernel]:
    lines = computations[name]
    for instruction in lines.values():
        if instruction.opcode in CALLERS:
            for called in instruction.called:
                yield from _kernels(computations, called)
        elif instruction.opcode not in FREE and not instruction.opcode.endswith("-done"):
            operands = [array for operand in set(instruction.operands) for array in lines[operand].results]
            yield _kernel(instruction, operands)


def _kernel(instruction: Instruction, operands: list[Array]) -> Kernel:
    opcode, arrays = instruction.opcode, [*operands, *instruction.results]
    elements = max((array.elements for array in arrays), default=0)
    if opcode in MOVES:  # As much is read as arrives.
        target = instruction.results[MOVES[opcode]]
        return Kernel(opcode, elements, target.bytes * (operands[0].main + target.main))
    return Kernel(opcode, elements, sum(array.bytes for array in arrays if array.main))


def _parse(text: str) -> tuple[dict[str, dict[str, Instruction]], str | None]:
    """The computations of a module by name, their instructions by name, and the name of the entry."""
    computations, entry, lines = {}, None, {}
    for line in text.splitlines():
        if re.match(r"(ENTRY )?%[\w.-]+ \(.*\{$", line):
            name = _NAME.search(line)[1]  # pyright: ignore[reportOptionalSubscript]
            computations[name] = lines = {}
            entry = name if line.startswith("ENTRY") else entry
        elif match := re.match(r"\s+(?:ROOT )?%([\w.-]+) = ", line):
            lines[match[1]] = _instruction(line[match.end() :])
    return computations, entry


def _instruction(text: str) -> Instruction:
    """Reads ``shape opcode(operands), attributes``."""
    end = _closing(text, 0) if text.startswith("(") else text.index(" ")
    opening = text.index("(", end)
    closing = _closing(text, opening)
    joins = 'custom_call_target="ConcatBitcast"' in text  # Slices that were moved to where they belong.
    return Instruction(
        opcode="bitcast" if joins else text[end:opening].strip(),
        results=tuple(_array(*found) for found in _ARRAY.findall(text[:end])),
        operands=tuple(_NAME.findall(text[opening:closing])),
        called=tuple(name for names in _CALLED.findall(text[closing:]) for name in _NAME.findall(names)),
    )


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at ``start`` has closed."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, start):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.end()
    raise ValueError(f"unbalanced brackets in an instruction: {text[:80]!r}")


def _array(dtype: str, shape: str, layout: str) -> Array:
    elements = math.prod(int(size) for size in shape.split(",") if size)
    digits = re.search(r"\d+", dtype)
    bits = 8 if dtype == "pred" else int(digits[0]) if digits else 0  # Tokens have none.
    space = re.search(r"S\(([1-9]\d*)\)", layout)
    return Array(
        elements, elements * bits // 8, main=space is None, host=space is not None and space[1] == "5"
    )
