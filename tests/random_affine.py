"""Random statements with computed subscripts, draws and capital slices."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.random_case import ATOM, CONDITIONAL, PRODUCT, SUM, Expr, Known, access, put
from tests.random_scans import Scans

OPERATORS = ("+=", "-=", "*=", "max=", "min=")


class Affine(Scans):
    """Draws statements with computed subscripts."""

    bodies: dict[str, str]
    """The bodies of the program's functions."""

    def index(self, size: int, *, batched: bool = False) -> str:
        """A new index, declared nowhere: what it subscripts fixes its extent."""
        name = f"p{sum(1 for index in self.case.indices if index.startswith('p'))}"
        self.case.indices[name] = f"|{name}|"
        self.case.sizes[f"|{name}|"] = size
        if batched:
            self.case.batched.append(f"|{name}|")
        return name

    def window_group(self, name: str, depth: int) -> None:
        """`y[b,p] += K[k]*x[b,2*p+k+1]`: the range of p is all that stays inside."""
        kept = self.left_indices(0, 2)
        chosen = self.sliding(kept)
        if chosen is None:
            return self.value_group(name, depth)
        known, axis = chosen
        extent = known.axes[axis]
        window = self.window(extent, kept)
        if window is None:
            return self.value_group(name, depth)
        subscript, kernel, count = window
        p = self.index(count, batched=self.is_batched_range(subscript, extent, kernel))
        parts = [self.integer(e, (*kept, *kernel), 0) for e in known.axes]
        parts[axis] = Expr(subscript.format(p=p), SUM, frozenset([p, *kernel]), count)
        self.read_names.add(known.name)
        value = Expr(
            access(known.name, [part.text for part in parts]),
            ATOM,
            frozenset().union(*(part.free for part in parts)),
            known.size,
        )
        if self.chance(2):
            factor = self.expression((*kept, *kernel, p), depth)
            text = f"{put(factor, PRODUCT)}*{value.text}"
            size = factor.size * value.size
            value = self.tamed(Expr(text, PRODUCT, factor.free | value.free, size))
        order = list(self.draw(st.permutations([*kept, p])))
        size = self.reduced(name, value, order, kernel)
        self.add(name, order, size)
        return None

    def sliding(self, kept: Sequence[str]) -> tuple[Known, int] | None:
        """A tensor of numbers and one of its axes to slide along."""
        options = [
            (known, axis)
            for known in self.known
            if known.member is None and self.reachable_but_one(known, kept)
            for axis, extent in enumerate(known.axes)
            if all(e.isdigit() or self.over(e, kept) for e in _without(known.axes, axis)) and extent
        ]
        return self.pick(options) if options else None

    def reachable_but_one(self, known: Known, kept: Sequence[str]) -> bool:
        closed = [e for e in known.axes if not e.isdigit() and not self.over(e, kept)]
        return bool(known.axes) and len(closed) <= 1

    def window(self, extent: str, kept: Sequence[str]) -> tuple[str, tuple[str, ...], int] | None:
        """A subscript with `{p}` in it, the kernel's index if it has one, and the range of p."""
        size = self.case.sizes[extent]
        kernels = [k for k in self.case.indices if k not in (*kept, *self.scanned)]
        kernel, terms, low, high = (), [], 0, 0
        if kernels and self.chance(2):
            k = self.pick(kernels)
            step = self.pick([1, 1, 2, -1])
            reach = step * (self.case.sizes[self.case.indices[k]] - 1)
            kernel, low, high = (k,), min(0, reach), max(0, reach)
            terms = [{1: f"+ {k}", 2: f"+ 2*{k}", -1: f"- {k}"}[step]]
        stride = self.pick([1, 1, 2, 3, -1])
        spare = size - 1 - (high - low)
        if spare < 0:
            return None
        offset = self.draw(st.integers(0, spare)) - low
        if stride < 0:
            count = offset + low + 1
            return " ".join([f"{offset} - {{p}}", *terms]), kernel, count
        count = (size - 1 - offset - high) // stride + 1
        first = "{p}" if stride == 1 else f"{stride}*{{p}}"
        last = [] if offset == 0 and self.chance(2) else [f"+ {offset}"]
        return " ".join([first, *terms, *last]), kernel, count

    def is_batched_range(self, subscript: str, extent: str, kernel: Sequence[str]) -> bool:
        """Whether the range of p changes with the batch: by the axis or by the kernel's reach.

        Where p counts down, its range ends at 0, whatever the axis' extent.
        """
        upward, batched = "- {p}" not in subscript, self.case.batched
        reaches = [f"- {k}" in subscript for k in kernel if self.case.indices[k] in batched]
        return (upward and extent in batched) or any(back != upward for back in reaches)

    def reduced(self, name: str, value: Expr, left: Sequence[str], kernel: Sequence[str]) -> float:
        """A statement that reduces over the kernel, by its operator or by a reduction."""
        terms = 1
        for k in kernel:
            terms *= self.case.sizes[self.case.indices[k]]
        value = self.using(kernel, value)
        if not kernel or self.chance(2):
            if kernel:
                form = self.pick(["sum", "mean", "max", "min", "logsumexp"])
                text = f"{form}[{','.join(kernel)}]({value.text})"
                value = Expr(text, ATOM, value.free - set(kernel), value.size * terms + 3)
            operator = self.pick(["=", "+=", "-="])
        else:
            operator = self.pick(OPERATORS)
            if operator == "*=":
                value = self.unary("tanh", value)
        self.statement(name, operator, value, self.bare(left))
        return max(value.size * terms, 1)

    def shifted_group(self, name: str, depth: int) -> None:
        """`y[i] = x[i-1] else 0`, as the whole right side, an argument or a factor."""
        indices = self.left_indices(1, 3)
        read = self.guarded(indices)
        if read is None:
            return self.value_group(name, depth)
        bare = Expr(read.text[1:-1], CONDITIONAL, read.free, read.size)
        match self.pick(["whole", "argument", "factor"]):
            case "whole":
                value = bare
            case "argument":
                value = Expr(f"tanh({bare.text})", ATOM, read.free, 1)
            case _:
                value = self.binary_of(read, self.expression(indices, depth))
        operator = self.pick(["=", "+=", "-="])
        self.statement(name, operator, value, self.bare(indices))
        return self.add(name, indices, value.size)

    def binary_of(self, a: Expr, b: Expr) -> Expr:
        text = f"{put(a, PRODUCT)}*{put(b, ATOM)}"
        return self.tamed(Expr(text, PRODUCT, a.free | b.free, a.size * b.size))

    def partial_group(self, name: str, depth: int) -> None:
        """A tensor set whole, then added to through subscripts that reach outside."""
        indices = self.left_indices(1, 2)
        value = self.expression(indices, depth)
        self.statement(name, "=", value, self.bare(indices))
        scope = self.left_indices(1, 3)
        left = [self.place(extent, scope) for extent in self.axes(indices)]
        axis = self.draw(st.integers(0, len(left) - 1))
        partial = not self.chance(4)
        extent = self.case.indices[indices[axis]]
        outside = self.outside(extent, scope) if partial else self.wrapped(extent, scope)
        left[axis] = outside or left[axis]
        operator = self.pick(OPERATORS)
        bound = [i for i in scope if i not in frozenset().union(*(e.free for e in left))]
        added = self.using(bound, self.expression(scope, depth))
        if operator == "*=":
            added = self.unary(self.pick(["tanh", "sigmoid", "cos"]), added)
        self.statement(name, operator, added, left, partial=partial)
        return self.add(name, indices, value.size + added.size * 64)

    def placed_group(self, name: str, depth: int) -> None:
        """`T[2*i+1] = e`: what is written through an affine subscript fixes the axis."""
        kept = self.left_indices(0, 1)
        others = [i for i in self.case.indices if i not in (*kept, *self.scanned)]
        if not others:
            return self.value_group(name, depth)
        i = self.pick(others)
        size = self.case.sizes[self.case.indices[i]]
        stride, offset = self.pick([1, 2, 3]), self.pick([0, 1, 2])
        free, reach = {i}, stride * (size - 1) + offset
        text = f"{i} + {offset}" if stride == 1 else f"{stride}*{i} + {offset}"
        operator = self.pick(["=", "=", "+=", "-=", "max="])
        j = self.pick(others)
        if j != i and self.case.indices[j].isdigit() and self.chance(2):
            digits = self.case.sizes[self.case.indices[j]]
            text, free = f"{digits}*{i} + {j}", {i, j}
            reach = digits * (size - 1) + digits - 1
        value = self.expression((*kept, *sorted(free)), depth)
        left = [*self.bare(kept), Expr(text, SUM, frozenset(free), reach)]
        self.statement(name, operator, value, left)
        batched = any(self.case.indices[x] in self.case.batched for x in free)
        p = self.index(reach + 1, batched=batched)
        if operator == "max=":  # what nothing is written to is the operator's identity
            self.statement(
                name, "max=", Expr(f"-1 + 0*{p}", SUM, frozenset([p]), 1), self.bare([*kept, p])
            )
        self.add(name, (*kept, p), value.size + 1)
        after = f"{name}2"
        whole = Expr(access(name, [*kept, p]), ATOM, frozenset([*kept, p]), value.size)
        self.statement(after, "=", self.unary("tanh", whole), self.bare([*kept, p]))
        return self.add(after, (*kept, p), 1)

    def sample_group(self, name: str, depth: int) -> None:
        """A random draw, and something made of it."""
        indices = self.left_indices(0, 2)
        name = f"m{name}"
        forms = ("bernoulli(0.7)", "normal(0, 1)", "uniform(-1, c)")
        text = f"{access(name, indices)} ~ {self.pick(forms)}"
        if indices and self.chance(2):
            text = f"for {','.join(self.draw(st.permutations(indices)))}: {text}"
        self.case.statements.append(text)
        known = Known(name, self.axes(indices), tuple(indices))
        self.case.given.append(known)
        self.case.draws.append(name)
        self.known.append(known)
        read = Expr(access(name, indices), ATOM, frozenset(indices), 1.5)
        value = self.binary_of(read, self.expression(indices, depth))
        self.read_names.add(name)
        target = name.replace("m", "n", 1)
        self.statement(target, "=", value, self.bare(indices))
        return self.add(target, indices, value.size)

    def capital_group(self, name: str, depth: int) -> None:
        """`y[b] = x[b,I] W[I]` beside the sum that it means."""
        kept = self.left_indices(0, 2)
        numbers = [k for k in self.known if k.member is None]
        pairs = [
            (a, m, b, n)
            for a in numbers
            for m, extent in enumerate(a.axes)
            for b in numbers
            for n, other in enumerate(b.axes)
            if extent == other and self.fits(a, m, kept) and self.fits(b, n, kept)
        ]
        inner = [i for i in self.case.indices if i not in kept and i not in self.scanned]
        pairs = [pair for pair in pairs if self.over(pair[0].axes[pair[1]], inner)]
        if not pairs:
            return self.value_group(name, depth)
        a, m, b, n = self.pick(pairs)
        i = self.pick(self.over(a.axes[m], inner))
        texts = []
        parts = [[self.integer(e, kept, 0) for e in known.axes] for known in (a, b)]
        capital = f"I{len(self.case.twins)}"
        for index in (capital, i):
            for known, axis, left in ((a, m, parts[0]), (b, n, parts[1])):
                left[axis] = Expr(index, ATOM, frozenset(), 1)
                texts.append(access(known.name, [part.text for part in left]))
        free = frozenset().union(*(part.free for left in parts for part in left))
        size = a.size * b.size * self.case.sizes[a.axes[m]]
        self.read_names |= {a.name, b.name}
        gap = self.pick([" ", "*"])
        self.statement(
            name, "=", Expr(f"{texts[0]}{gap}{texts[1]}", PRODUCT, free, size), self.bare(kept)
        )
        twin = Expr(f"sum[{i}]({texts[2]}*{texts[3]})", ATOM, free, size)
        self.statement(f"{name}0", "=", twin, self.bare(kept))
        self.case.twins.append((name, f"{name}0"))
        return self.add(name, kept, size)

    def fits(self, known: Known, axis: int, kept: Sequence[str]) -> bool:
        return all(e.isdigit() or self.over(e, kept) for e in _without(known.axes, axis))

    def unary(self, name: str, e: Expr) -> Expr:
        if self.chance(12):
            return Expr(f"stop({e.text})", ATOM, e.free, e.size)
        return super().unary(name, e)


def _without(axes: Sequence[str], axis: int) -> list[str]:
    return [extent for k, extent in enumerate(axes) if k != axis]
