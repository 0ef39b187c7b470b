"""Products with their scale, added to what is there as they are made: BLAS's `C = β*C + α*A@B`.

    k = 0.1/32 * G             accumulate(W, G, x, -0.1/32)
    t = k @ x                  ...
    ...
    W = W - t

so that the gradient of a param under plain gradient descent is never stored, no scale
takes a pass over anything, and a cotangent of several contributions takes one pass.
What is added to may have a factor of its own, `0.9*v + A @ B`. The product moves
nowhere: it stands where it stood, if nothing reads the old W from there on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from einbatch.plan.graph import Value
from einbatch.plan.liveness import WRITES

SIGNS = {"add": 1.0, "subtract": -1.0}
MARKS = frozenset({"loop", "end"})
SHARED = frozenset({"view", "constant", "check", "start", "carry", "exit"}) | WRITES
"""Operations whose values lie in memory that is not theirs alone."""
Numbers = dict[int, int]


@dataclass(frozen=True, slots=True)
class _Fusion:
    """A product's factor, and the sum that takes it in: `beta` times the value `onto`."""

    alpha: float
    result: int
    onto: int | None = None
    beta: float = 1.0


def fuse_products(
    values: Sequence[Value], wanted: Collection[int]
) -> tuple[list[Value], Numbers, Numbers]:
    """The values with such products; their new numbers, and those that products went into."""
    fusing = _Fusing(values, wanted)
    numbers: Numbers = {}
    result: list[Value] = []
    for number, value in enumerate(values):
        if number in fusing.same:
            numbers[number] = numbers[fusing.same[number]]
            continue
        if number in fusing.gone:
            continue
        fusion = fusing.found.get(number)
        numbers[number if fusion is None else fusion.result] = len(result)
        if fusion is not None:
            value = _fused(value, fusion)
        result.append(replace(value, arguments=tuple(numbers[a] for a in value.arguments)))
    into = {number: numbers[fusion.result] for number, fusion in fusing.found.items()}
    for number in fusing.same:
        del numbers[number]
    return result, numbers, into


def _fused(value: Value, fusion: _Fusion) -> Value:
    shape, strides, _ = value.attributes
    if fusion.onto is None:
        return replace(value, attributes=(shape, strides, fusion.alpha))
    attributes = (shape, strides, fusion.alpha, fusion.beta)
    arguments = (fusion.onto, *value.arguments)
    return Value("accumulate", arguments, attributes, value.shape, value.kind)


class _Fusing:
    """What is found: fusions by their product, values that go, values that are others now."""

    def __init__(self, values: Sequence[Value], wanted: Collection[int]) -> None:
        self.values = values
        self.wanted = wanted
        self.uses = _find_uses(values)
        self.marks = [k for k, value in enumerate(values) if value.operation in MARKS]
        self.found: dict[int, _Fusion] = {}
        self.gone: set[int] = set()
        self.same: Numbers = {}
        for number, value in enumerate(values):
            if value.operation == "matmul":
                self._fuse(number, value)

    def _fuse(self, product: int, value: Value) -> None:
        alpha = 1.0
        for argument in dict.fromkeys(value.arguments):
            alpha *= self._take_factor(argument, product)
        result = product
        user = self._only_user(result)
        scaled = None if user is None else self._factor(user)
        if user is not None and scaled is not None and scaled[0] == result:
            alpha *= scaled[1]
            result = user
            self.gone.add(user)
        fusion = self._find_sum(product, result, alpha) or _Fusion(alpha, result)
        if fusion.onto is not None or result != product or alpha != 1.0:
            self.found[product] = fusion

    def _take_factor(self, argument: int, product: int) -> float:
        """The number that an operand was multiplied by for this product alone."""
        number, user = argument, product
        if self.values[number].operation == "view":
            if self._only_user(number) != product:
                return 1.0
            number, user = self.values[number].arguments[0], number
        scaled = self._factor(number) if self._only_user(number) == user else None
        if scaled is None or number in self.gone:
            return 1.0
        base = self.values[scaled[0]]
        if base.operation in SHARED or scaled[0] in self.gone:
            return 1.0
        self.same[number] = scaled[0]
        return scaled[1]

    def _find_sum(self, product: int, result: int, alpha: float) -> _Fusion | None:
        number = self._only_user(result)
        if number is None or self.values[number].operation not in SIGNS:
            return None
        value = self.values[number]
        place = value.arguments.index(result)
        if (place == 0 and value.operation == "subtract") or value.kind != "float":
            return None
        onto, beta, own = value.arguments[1 - place], 1.0, {number}
        scaled = self._factor(onto) if self._only_user(onto) == number else None
        if scaled is not None and onto not in self.gone and onto not in self.same:
            own.add(onto)
            onto, beta = scaled
        if (
            onto >= product
            or not self.values[onto].shape == value.shape == self.values[result].shape
        ):
            return None
        if not self._is_over(onto, product, own):
            return None
        self.gone |= own | {result} - {product}
        return _Fusion(alpha * SIGNS[value.operation], number, onto, beta)

    def _is_over(self, onto: int, product: int, own: Collection[int]) -> bool:
        """True where nothing but the sum reads what is added to from the product on."""
        operation = self.values[onto].operation
        if operation in SHARED or onto in self.wanted or onto in self.same:
            return False
        if onto in self.gone:
            return False
        if bisect_left(self.marks, product) < bisect_left(self.marks, max(own)):
            return False
        seen = [
            reader
            for use in self.uses[onto]
            for reader in (self.uses[use] if self.values[use].operation == "view" else (use,))
        ]
        return all(reader in own or reader < product for reader in seen)

    def _factor(self, number: int) -> tuple[int, float] | None:
        """`(x, k)` where a value is x times the number k."""
        value = self.values[number]
        if value.operation != "multiply" or value.kind != "float" or not value.shape:
            return None
        base, factor = value.arguments
        if self.values[factor].operation != "constant" or self.values[base].shape != value.shape:
            return None
        (exact,) = self.values[factor].attributes
        return (base, exact) if isinstance(exact, float) else None

    def _only_user(self, number: int) -> int | None:
        users = self.uses[number]
        return users[0] if len(users) == 1 and number not in self.wanted else None


def _find_uses(values: Sequence[Value]) -> list[list[int]]:
    """For each value what it is an argument of."""
    uses: list[list[int]] = [[] for _ in values]
    for number, value in enumerate(values):
        for argument in dict.fromkeys(value.arguments):
            uses[argument].append(number)
    return uses
