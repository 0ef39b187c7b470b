"""Fewer and smaller products with numbers: the scale of gradients, applied once.

Two rewritings of a graph's wanted values, each where nothing else sees what changes:

- `multiply(matmul(A, B), k)` is `matmul(multiply(A, k), B)` where A is the smaller:
  the step of gradient descent costs no pass over the weights of its own;
- where all that is made of a value X, through sums, products and views, ends in
  a product with the same number k (or -k), X is multiplied by k once and those
  products go: `1/B` at the loss, not in every layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from einbatch.plan.graph import Graph, Value

LINEAR = frozenset({"view", "matmul", "multiply", "negative", "copy", "add", "subtract"})
MODERATE = 1e15
"""Larger factors, and smaller ones than its inverse, stay where they are."""
NUMBERS = 4
"""For how many different numbers, the most frequent ones, products are looked for."""

Numbers = dict[int, int]


def fold_scales(graph: Graph, wanted: Iterable[int]) -> tuple[Graph, Numbers, Numbers]:
    """The graph rewritten; its numbers for the old ones; those of values that now are scaled."""
    wanted = list(wanted)
    uses = _Uses(graph, wanted)
    folded, numbers, scaled = _rebuild(graph, uses, _Folding(graph, uses))
    for factor in _frequent_factors(folded, _Uses(folded, [numbers[old] for old in wanted])):
        uses = _Uses(folded, [numbers[old] for old in wanted])
        folded, again, also = _rebuild(folded, uses, _Region(folded, uses, factor))
        scaled = {old: again.get(new, also.get(new, -1)) for old, new in scaled.items()}
        scaled |= {old: also[new] for old, new in numbers.items() if new in also}
        numbers = {old: again[new] for old, new in numbers.items() if new in again}
    return folded, numbers, {old: new for old, new in scaled.items() if new >= 0}


class _Uses:
    """Which values are needed, and by which others."""

    def __init__(self, graph: Graph, wanted: Iterable[int]) -> None:
        self.wanted = frozenset(wanted)
        self.users: dict[int, list[int]] = {}
        stack = list(self.wanted)
        while stack:
            number = stack.pop()
            if number not in self.users:
                self.users[number] = []
                stack.extend(graph[number].arguments)
        self.constant: set[int] = set()
        for number in sorted(self.users):
            value = graph[number]
            if value.operation != "input" and self.constant.issuperset(value.arguments):
                self.constant.add(number)
            for argument in dict.fromkeys(value.arguments):
                self.users[argument].append(number)

    def only_user(self, number: int) -> int | None:
        users = self.users[number]
        return users[0] if len(users) == 1 and number not in self.wanted else None


def factor_of(graph: Graph, number: int) -> tuple[int, float] | None:
    """`(x, k)` where a value is `multiply(x, k)` with k a number and x with memory of its own."""
    value = graph[number]
    if value.operation != "multiply" or value.kind != "float":
        return None
    x, k = value.arguments
    (factor,) = graph[k].attributes if graph[k].operation == "constant" else (None,)
    plain = graph[x].operation not in ("view", "constant", "input") and value.shape != ()
    if not plain or not isinstance(factor, float) or graph[x].shape != value.shape:
        return None
    return (x, factor) if _is_moderate(factor) else None


def _is_moderate(factor: float) -> bool:
    """True where a factor may be moved without fear of what becomes too small or too large."""
    return 1 / MODERATE <= abs(factor) <= MODERATE


class _Folding:
    """Numbers moved into the products that they multiply: `pending[x]` is x's factor."""

    def __init__(self, graph: Graph, uses: _Uses) -> None:
        self.graph, self.uses = graph, uses
        self.pending: dict[int, float] = {}
        self.gone: set[int] = set()
        for number in sorted(uses.users, reverse=True):
            found = factor_of(graph, number)
            if found is None:
                continue
            x, factor = found
            factor *= self.pending.get(number, 1.0)
            if uses.only_user(x) == number and self._takes_factor(x, factor):
                self.pending[x] = factor
                self.gone.add(number)

    def _takes_factor(self, number: int, factor: float) -> bool:
        own = factor_of(self.graph, number)
        if own is not None:
            return _is_moderate(own[1] * factor)
        value = self.graph[number]
        if value.operation != "matmul":
            return False
        root = self.graph.layout(value.arguments[self._side(value)]).root
        inner = factor_of(self.graph, root)
        if not _is_moderate(factor * (1.0 if inner is None else inner[1])):
            return False
        return root in self.uses.constant or self.graph[root].size < value.size

    def _side(self, value: Value) -> int:
        """Which factor of a matrix product to multiply: a constant one, else the smaller."""
        roots = [self.graph.layout(argument).root for argument in value.arguments]
        costs = [0 if r in self.uses.constant else self.graph[r].size for r in roots]
        return costs.index(min(costs))

    def rewrite(self, new: Graph, number: int, numbers: Numbers, scaled: Numbers) -> None:
        value = self.graph[number]
        found = factor_of(self.graph, number)
        if number in self.gone:
            assert found is not None
            source = scaled.get(found[0], numbers.get(found[0], -1))
            (scaled if number in self.pending else numbers)[number] = source
            return
        factor = self.pending.get(number)
        if factor is None:
            numbers[number] = new.add(_renumbered(value, numbers))
        elif found is not None:
            scaled[number] = _times(new, numbers[found[0]], factor * found[1])
        else:
            scaled[number] = self._scaled_product(new, value, numbers, factor)

    def _scaled_product(self, new: Graph, value: Value, numbers: Numbers, factor: float) -> int:
        side = self._side(value)
        root = self.graph.layout(value.arguments[side]).root
        inner = factor_of(self.graph, root)
        base, whole = root, factor
        if inner is not None and inner[0] in numbers:
            base, whole = inner[0], factor * inner[1]
        times = _times(new, numbers[base], whole)
        return new.add(_with_factor(self.graph, new, value, side, times, numbers))


class _Region:
    """The values that are made with a factor in them, and the products with it that go."""

    def __init__(self, graph: Graph, uses: _Uses, factor: float) -> None:
        self.graph, self.uses, self.factor = graph, uses, factor
        self.starts: set[int] = set()
        self.inside: set[int] = set()
        self.gone: dict[int, int] = {}
        absorbing = self._absorbing()
        for number in sorted(uses.users):
            found = factor_of(graph, number)
            if found is None or abs(found[1]) != factor or found[0] in self.inside:
                continue
            if found[0] in absorbing and found[0] not in uses.constant:
                self._try(found[0])

    def _absorbing(self) -> set[int]:
        """The values all of whose uses end in a product with the factor."""
        absorbing: set[int] = set()
        for number in sorted(self.uses.users, reverse=True):
            users = self.uses.users[number]
            if (
                users
                and number not in self.uses.wanted
                and all(
                    self._ends(user) or (self._is_linear(user) and user in absorbing)
                    for user in users
                )
            ):
                absorbing.add(number)
        return absorbing

    def _ends(self, number: int) -> bool:
        found = factor_of(self.graph, number)
        if found is not None:
            return abs(found[1]) == self.factor
        return self._constant_side(number) is not None

    def _constant_side(self, number: int) -> int | None:
        """Which factor of a matrix product is a constant, so that another number costs nothing."""
        value = self.graph[number]
        if value.operation != "matmul" or number in self.uses.constant:
            return None
        sides = [k for k, a in enumerate(value.arguments) if a in self.uses.constant]
        return sides[0] if sides else None

    def _is_linear(self, number: int) -> bool:
        value = self.graph[number]
        if value.operation == "reduce":
            return value.attributes[0] == "add"
        return value.operation in LINEAR and value.kind == "float"

    def _try(self, start: int) -> None:
        """Everything from `start` on, if each product has one factor of it and each sum all."""
        region: set[int] = set()
        ends: dict[int, int] = {}
        stack = [start]
        while stack:
            number = stack.pop()
            if number in region:
                continue
            region.add(number)
            for user in self.uses.users[number]:
                if self._ends(user):
                    ends[user] = number
                else:
                    stack.append(user)
        fits = all(self._fits(number, region) for number in region if number != start)
        products = [number for number in ends if factor_of(self.graph, number) is not None]
        sizes = sum(self.graph[number].size for number in products)
        if (
            fits
            and len(products) > 1
            and self.graph[start].size <= sizes
            and not region & self.inside
        ):
            self.starts.add(start)
            self.inside |= region
            self.gone |= ends

    def _fits(self, number: int, region: set[int]) -> bool:
        value = self.graph[number]
        inside = [argument in region for argument in value.arguments]
        return all(inside) if value.operation in ("add", "subtract") else sum(inside) == 1

    def rewrite(self, new: Graph, number: int, numbers: Numbers, scaled: Numbers) -> None:
        value = self.graph[number]
        if number in self.gone:
            numbers[number] = self._end(new, number, numbers, scaled)
        elif number in self.starts:
            scaled[number] = _times(new, new.add(_renumbered(value, numbers)), self.factor)
        elif number in self.inside:
            known = {a: scaled.get(a, numbers.get(a, -1)) for a in value.arguments}
            scaled[number] = new.add(_renumbered(value, known))
        else:
            numbers[number] = new.add(_renumbered(value, numbers))

    def _end(self, new: Graph, number: int, numbers: Numbers, scaled: Numbers) -> int:
        """A value that had the factor in it, made of what now has it."""
        source = scaled[self.gone[number]]
        found = factor_of(self.graph, number)
        if found is not None:
            item = new[source]
            negative = Value("negative", (source,), (), item.shape, item.kind)
            return source if found[1] > 0 else new.add(negative)
        value, side = self.graph[number], self._constant_side(number)
        assert side is not None
        root = self.graph.layout(value.arguments[side]).root
        times = _times(new, numbers[root], 1 / self.factor)
        known = {a: numbers.get(a, -1) for a in value.arguments} | {self.gone[number]: source}
        return new.add(_with_factor(self.graph, new, value, side, times, known))


def _with_factor(
    graph: Graph, new: Graph, value: Value, side: int, factor: int, numbers: Mapping[int, int]
) -> Value:
    """A matrix product with another root for one of its factors, looked at in the same way."""
    view = graph.layout(value.arguments[side])
    shape = graph[value.arguments[side]].shape
    arguments = [
        new.view(factor, shape, view.strides, view.offset) if k == side else numbers[argument]
        for k, argument in enumerate(value.arguments)
    ]
    return replace(value, arguments=tuple(arguments))


def _rebuild(
    graph: Graph, uses: _Uses, rewriting: _Folding | _Region
) -> tuple[Graph, Numbers, Numbers]:
    new = Graph(numbers_values=graph.numbers_values)
    numbers: Numbers = {}
    scaled: Numbers = {}
    for number in sorted(uses.users):
        new.origin = graph.origins[number]
        rewriting.rewrite(new, number, numbers, scaled)
    return new, numbers, scaled


def _frequent_factors(graph: Graph, uses: _Uses) -> list[float]:
    found = [factor_of(graph, number) for number in sorted(uses.users)]
    counts = Counter(abs(item[1]) for item in found if item is not None)
    return [factor for factor, count in counts.most_common(NUMBERS) if count > 1 and factor > 0]


def _renumbered(value: Value, numbers: Mapping[int, int]) -> Value:
    return replace(value, arguments=tuple(numbers[argument] for argument in value.arguments))


def _times(new: Graph, number: int, factor: float) -> int:
    constant = new.add(Value("constant", (), (factor,), (), "float"))
    value = new[number]
    return new.add(Value("multiply", (number, constant), (), value.shape, value.kind))
