"""How far a subscript on the left reaches, where nothing else fixes its axis."""

from __future__ import annotations

from collections.abc import Mapping

from einbatch.ir import Apply, Expression, Extent, IndexValue, Number, Read


def largest_reached(subscript: Expression, members: Mapping[str, str]) -> Expression | None:
    """The extent that an axis needs: the largest value of the subscript, plus 1.

    `members` gives for an integer input the index that its values are in. None
    where the largest value does not follow from the subscript's form.
    """
    match subscript:
        case Read(tensor=tensor) if tensor in members:
            return Extent(members[tensor], subscript.span)
        case _:
            largest = _largest(subscript, members)
            if largest is None:
                return None
            return Apply("add", (largest, Number(1)), subscript.span)


def _largest(expression: Expression, members: Mapping[str, str]) -> Expression | None:
    match expression:
        case Number(value=int()):
            return expression
        case Extent():
            return expression
        case IndexValue(index=index):
            return Apply("add", (Extent(index), Apply("neg", (Number(1),))))
        case Read(tensor=tensor) if tensor in members:
            return Apply("add", (Extent(members[tensor]), Apply("neg", (Number(1),))))
        case Apply(primitive="iverson"):
            return Number(1)
        case Apply(primitive="neg", arguments=(Number() | Extent(),)):
            return expression
        case Apply(primitive=("add" | "mul") as primitive, arguments=arguments):
            parts = [_largest(argument, members) for argument in arguments]
            known = tuple(part for part in parts if part is not None)
            return Apply(primitive, known) if len(known) == len(parts) else None
        case Apply(primitive="mod", arguments=(_, (Number() | Extent()) as divisor)):
            return Apply("add", (divisor, Apply("neg", (Number(1),))))
        case _:
            return None
