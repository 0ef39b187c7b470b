"""Short ways to write expressions of the core language."""

from __future__ import annotations

from einbatch.ir.program import Apply, Expression, Number, Program

ZERO, ONE, TWO = Number(0), Number(1), Number(2)


def add(*terms: Expression) -> Expression:
    """The sum of two terms or more."""
    return Apply("add", terms)


def subtract(a: Expression, b: Expression) -> Expression:
    """`a - b`."""
    return Apply("add", (a, negate(b)))


def negate(a: Expression) -> Expression:
    """`-a`."""
    return Apply("neg", (a,))


def multiply(*factors: Expression) -> Expression:
    """The product of the factors; a single one is itself."""
    return factors[0] if len(factors) == 1 else Apply("mul", factors)


def divide(a: Expression, b: Expression) -> Expression:
    """`a/b`."""
    return Apply("div", (a, b))


def power(a: Expression, b: Expression) -> Expression:
    """`a^b`."""
    return Apply("pow", (a, b))


def call(primitive: str, *arguments: Expression) -> Expression:
    """A primitive of its arguments."""
    return Apply(primitive, arguments)


def bracket(comparison: str, a: Expression, b: Expression) -> Expression:
    """`[a < b]`, by the comparison's name."""
    return Apply("iverson", (Apply(comparison, (a, b)),))


def choose(condition: Expression, a: Expression, b: Expression) -> Expression:
    """`if condition then a else b`."""
    return Apply("select", (condition, a, b))


def names_of(program: Program) -> set[str]:
    """Every name of a program: none of them is free for something new."""
    return {
        *(index.name for index in program.indices),
        *(name for name, _ in program.extents),
        *(let.name for let in program.lets),
        *(tensor.name for tensor in program.tensors),
    }


def fresh_tensor(name: str, taken: set[str]) -> str:
    """`h_1`, or the next number that is free; entered in `taken`."""
    base, dot, level = name.partition(".grad")
    number = 1
    while (candidate := f"{base}_{number}{dot}{level}") in taken:
        number += 1
    taken.add(candidate)
    return candidate


def fresh_index(name: str, taken: set[str]) -> str:
    """`i'`, or with as many primes as it takes; entered in `taken`."""
    candidate = name + "'"
    while candidate in taken:
        candidate += "'"
    taken.add(candidate)
    return candidate
