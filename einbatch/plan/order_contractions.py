"""The order in which the factors of a product are contracted: opt_einsum's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pair = tuple[int, int]


def order_contractions(
    factors: Sequence[Sequence[str]], kept: Sequence[str], extents: Mapping[str, int]
) -> tuple[Pair, ...]:
    """Which two factors to contract first, next, and so on.

    A pair names positions in the list of what is left; the two are taken out and
    their product is put at the end.

    >>> order_contractions([["b", "i"], ["i", "j"], ["j"]], ["b"], {"b": 9, "i": 5, "j": 5})
    ((1, 2), (0, 1))
    """
    if len(factors) < 2:
        return ()
    if len(factors) == 2:
        return ((0, 1),)
    # Late, as it imports numpy; and it comes without type stubs.
    from opt_einsum import paths  # pyright: ignore[reportMissingTypeStubs]

    order: list[Pair] = []
    inputs = [frozenset(names) for names in factors]
    left = len(factors)
    for step in paths.auto(inputs, frozenset(kept), dict(extents), None):
        members = sorted(step)
        while len(members) > 2:  # rare: what a path leaves to one call, pair by pair
            last = members.pop()
            order.append((members.pop(), last))
            left -= 1
            members.append(left - 1)
        if len(members) == 2:
            order.append((members[0], members[1]))
            left -= 1
    return tuple(order)


def in_turn(count: int) -> tuple[Pair, ...]:
    """The same for so many factors from left to right.

    >>> in_turn(4)
    ((0, 1), (0, 2), (0, 1))
    """
    return ((0, 1), *((0, left - 1) for left in range(count - 1, 1, -1))) if count > 1 else ()
