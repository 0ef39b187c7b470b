"""Random scans, and the guarded reads that they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.random_case import ATOM, POWER, PRODUCT, SUM, Expr, Known, access, put
from tests.strategies import Writer


class Guards(Writer):
    """Draws reads that may be outside."""

    def outside(self, extent: str, scope: Sequence[str]) -> Expr | None:
        """A subscript of an axis that may be outside it; None where no index runs over it."""
        own = [name for name in scope if name not in self.scanned]
        bare = self.over(extent, own) or (own if extent.isdigit() else [])
        if not bare:
            return None
        i, size = self.pick(bare), self.case.sizes[extent]
        j = self.pick(own)
        forms = [f"{i} - 1", f"{i} + 1", f"2*{i} - 1", f"{size - 2} - {i}", f"{i} - {size + 1}"]
        if self.chance(3):
            text = self.pick([f"{i} + {j} - 1", f"3*{i} - 2*{j}"])
            return Expr(text, SUM, frozenset([i, j]), size)
        return Expr(self.pick(forms), SUM, frozenset([i]), size)

    def wrapped(self, extent: str, scope: Sequence[str]) -> Expr | None:
        """`mod(i+1)` or `clamp(i+1)` as a whole subscript."""
        inner = self.outside(extent, scope)
        if inner is None:
            return None
        return Expr(f"{self.pick(['mod', 'clamp'])}({inner.text})", ATOM, inner.free, inner.size)

    def guarded(self, scope: Sequence[str], depth: int = 0) -> Expr | None:
        """A read with what is taken outside, in its parentheses."""
        known = self.shiftable(scope)
        if known is None:
            return None
        self.read_names.add(known.name)
        parts = [self.integer(e, tuple(scope), 0) for e in known.axes]
        axes = [k for k, e in enumerate(known.axes) if self.outside_is_possible(e, scope)]
        for axis in self.draw(st.lists(st.sampled_from(axes), min_size=1, max_size=2)):
            parts[axis] = self.outside(known.axes[axis], scope) or parts[axis]
        other = self.otherwise(scope, depth)
        free = frozenset().union(other.free, *(part.free for part in parts))
        text = f"({access(known.name, [p.text for p in parts])} else {other.text})"
        return Expr(text, ATOM, free, max(known.size, other.size))

    def outside_is_possible(self, extent: str, scope: Sequence[str]) -> bool:
        own = [name for name in scope if name not in self.scanned]
        return bool(self.over(extent, own) or (own and extent.isdigit()))

    def shiftable(self, scope: Sequence[str]) -> Known | None:
        """A tensor of numbers that can be read with a shift along one of its axes."""
        options = [
            known
            for known in self.known
            if known.member is None
            and self.reachable(known, tuple(scope))
            and any(self.outside_is_possible(e, scope) for e in known.axes)
        ]
        return self.pick(options) if options else None

    def otherwise(self, scope: Sequence[str], depth: int = 0) -> Expr:
        """What is taken outside: a number, a read, a condition's value, another guarded read."""
        match self.pick(["number", "number", "read", "condition", "guarded"]):
            case "read":
                tensors = [k for k in self.known if k.member is None]
                fitting = [k for k in tensors if self.reachable(k, tuple(scope))]
                if fitting:
                    return self.read(self.pick(fitting), tuple(scope), 0)
            case "condition":
                condition = self.condition(tuple(scope), 0)
                return Expr(f"[{condition.text}]", ATOM, condition.free, 1)
            case "guarded" if depth == 0:
                return self.guarded(scope, 1) or Expr("1", ATOM, frozenset(), 1)
            case _:
                pass
        text = self.pick(["0", "0.5", "1", "c"])
        return Expr(text, ATOM, frozenset(), 1)

    def leaf(self, scope: tuple[str, ...], depth: int = 0) -> Expr:
        """Now and then a read that is guarded, wrapped or clamped."""
        if scope and self.chance(6):
            found = self.guarded(scope) if self.chance(2) else self.around(scope)
            if found is not None:
                return found
        return super().leaf(scope, depth)

    def around(self, scope: tuple[str, ...]) -> Expr | None:
        known = self.shiftable(scope)
        if known is None:
            return None
        axes = [k for k, e in enumerate(known.axes) if self.outside_is_possible(e, scope)]
        axis = self.pick(axes)
        parts = [self.integer(e, scope, 0) for e in known.axes]
        parts[axis] = self.wrapped(known.axes[axis], scope) or parts[axis]
        self.read_names.add(known.name)
        free = frozenset().union(*(part.free for part in parts))
        return Expr(access(known.name, [p.text for p in parts]), ATOM, free, known.size)


class Scans(Guards):
    """Draws scans."""

    def scan_group(self, name: str, depth: int) -> None:
        """A scan of one to three tensors that read each other's earlier rounds."""
        chosen = self.scan_index()
        if chosen is None:
            return self.value_group(name, depth)
        t, down = chosen
        self.scanned = (t,)
        carried = [
            Known(f"{name}{k}", self.axes(axes), axes, None, 2.0)
            for k, axes in enumerate(self.carried_axes(t))
        ]
        ahead = [k for k in carried if self.chance(5)]
        for known in ahead:
            self.scanned = ()
            start = self.expression(known.indices, 0)
            self.statement(known.name, "=", start, self.bare(known.indices))
            self.scanned = (t,)
        self.block = []
        done: list[Known] = list(ahead)
        for known in carried:
            self.round(known, (t, down), carried, done, depth, ahead=known in ahead)
            done.append(known)
        total = self.accumulated(name, t, done, depth) if self.chance(3) else None
        self.close_scan(t, down)
        for known in carried:
            self.add(known.name, known.indices, known.size)
            self.case.finished[-1] = None
        if total is not None:
            self.add(*total)
        return None

    def scan_index(self) -> tuple[str, bool] | None:
        options = [i for i, extent in self.case.indices.items() if extent not in self.case.batched]
        return (self.pick(options), self.chance(3)) if options else None

    def close_scan(self, *scans: object) -> None:
        t, down = scans
        block, self.block, self.scanned = self.block or [], None, ()
        head = f"scan {t}{' down' if down else ''}:"
        if len(block) == 1 and self.chance(2):
            self.case.statements.append(f"{head} {block[0]}")
        else:
            self.case.statements.append("\n".join([head, *(f"    {line}" for line in block)]))

    def carried_axes(self, t: str) -> list[tuple[str, ...]]:
        count = self.draw(st.integers(1, 3))
        lists = [list(self.left_indices(0, 2)) for _ in range(count)]
        return [tuple(self.draw(st.permutations([*axes, t]))) for axes in lists]

    def round(
        self,
        known: Known,
        scan: tuple[str, bool],
        carried: Sequence[Known],
        done: Sequence[Known],
        depth: int,
        *,
        ahead: bool,
    ) -> None:
        """What a round makes of the rounds before it and of its own values so far."""
        t, down = scan
        scope = known.indices
        value = self.unary("tanh", self.expression(scope, depth))
        for _ in range(self.draw(st.integers(1, 2))):
            value = self.joined(value, self.earlier(self.pick(carried), t, down, scope))
        if done and self.chance(2):
            value = self.joined(value, self.same_round(self.pick(done), t, scope))
        if self.chance(3):
            inner = self.unary(self.pick(["tanh", "sigmoid", "sin", "relu", "gelu"]), value)
            value = Expr(inner.text, inner.binding, inner.free, 2.0)
        left = self.bare(scope)
        if ahead:
            place = scope.index(t)
            left[place] = Expr(f"{t} {'-' if down else '+'} 1", SUM, frozenset([t]), 4)
            self.statement(known.name, self.pick(["+=", "-="]), value, left, partial=True)
            return
        self.statement(known.name, self.pick(["=", "=", "+=", "-="]), value, left)
        if self.chance(3):
            again = self.using((), self.expression(scope, min(depth, 1)))
            operator = self.pick(["+=", "-=", "*=", "max=", "min="])
            bound = [i for i in self.left_indices(0, 1) if i not in scope]
            again = self.unary("tanh", self.using(bound, again))
            if self.chance(3):  # scattered within the round
                left = [
                    item if index == t else self.place(extent, scope)
                    for item, index, extent in zip(left, scope, known.axes, strict=True)
                ]
            self.statement(known.name, operator, again, left)

    def joined(self, a: Expr, b: Expr) -> Expr:
        """Two values, added or multiplied so that rounds do not blow up."""
        free = a.free | b.free
        if self.chance(3):
            return Expr(f"{put(a, PRODUCT)}*{put(b, POWER)}", PRODUCT, free, 2.0)
        return Expr(f"{put(a, SUM)} + 0.5*{put(b, POWER)}", SUM, free, 2.0)

    def earlier(self, known: Known, t: str, down: bool, scope: Sequence[str]) -> Expr:
        """A read of an earlier round; of what the tensor has besides, it is summed or bare."""
        lag = self.pick([1, 1, 1, 2])
        shift = Expr(f"{t} {'+' if down else '-'} {lag}", SUM, frozenset([t]), 4)
        return self.of_round(known, t, shift, scope, guard=True)

    def same_round(self, known: Known, t: str, scope: Sequence[str]) -> Expr:
        own = Expr(t, ATOM, frozenset([t]), 4)
        return self.of_round(known, t, own, scope, guard=False)

    def of_round(
        self, known: Known, t: str, place: Expr, scope: Sequence[str], *, guard: bool
    ) -> Expr:
        parts: list[Expr] = []
        bound: list[str] = []
        for index, extent in zip(known.indices, known.axes, strict=True):
            if index == t:
                parts.append(place)
                continue
            own = [i for i in self.over(extent, scope) if i not in self.scanned]
            others = [i for i in self.over(extent, list(self.case.indices)) if i not in scope]
            others = [i for i in others if i not in (*bound, *self.scanned)]
            if self.chance(6):
                parts.append(self.place(extent, tuple(scope)))
            elif own and not (others and self.chance(2)):
                parts.append(self.bare([self.pick(own)])[0])
            elif others:
                bound.append(self.pick(others))
                parts.append(self.bare(bound[-1:])[0])
            else:
                parts.append(Expr("0", ATOM, frozenset(), 0))
        inner = (*scope, *bound)
        free = frozenset().union(*(part.free for part in parts))
        text = access(known.name, [part.text for part in parts])
        if guard:
            other = self.otherwise(inner)
            text, free = f"({text} else {other.text})", free | other.free
        if not bound:
            return Expr(text, ATOM, free, 2.0)
        if self.chance(2):
            weight = super().leaf(inner)
            text, free = f"{put(weight, PRODUCT)}*{text}", free | weight.free
        return Expr(f"mean[{','.join(bound)}]({text})", ATOM, free - set(bound), 2.0)

    def accumulated(
        self, name: str, t: str, done: Sequence[Known], depth: int
    ) -> tuple[str, tuple[str, ...], float]:
        """A tensor without the scan's index, which every round adds to."""
        indices = self.left_indices(0, 1)
        read = self.same_round(self.pick(done), t, indices)
        value = self.using((t,), self.joined(self.expression((*indices, t), depth), read))
        operator = self.pick(["+=", "-=", "max="])
        self.statement(f"{name}s", operator, value, self.bare(indices))
        return f"{name}s", indices, 8.0

    def grid_group(self, name: str, depth: int) -> None:
        """A scan in a scan, over elements that need their neighbours."""
        options = [i for i, e in self.case.indices.items() if e not in self.case.batched]
        if len(options) < 2:
            return self.scan_group(name, depth)
        s, t = self.draw(st.permutations(options))[:2]
        down = {s: self.chance(3), t: self.chance(3)}
        self.scanned, self.block = (s, t), []
        others = self.left_indices(0, 1)
        axes = tuple(self.draw(st.permutations([s, t, *others])))
        value = self.expression((s, t, *others), depth)
        back = {i: f"{i} {'+' if down[i] else '-'} 1" for i in (s, t)}
        over = f"{t} {'-' if down[t] else '+'} 1"
        for places in ({s: back[s]}, {t: back[t]}, back, {s: back[s], t: over}):
            if self.chance(2):
                read = access(name, [places.get(i, i) for i in axes])
                other = self.otherwise((s, t, *others))
                read = Expr(f"({read} else {other.text})", ATOM, other.free | {s, t, *others}, 2.0)
                value = self.joined(value, read)
        value = self.unary("tanh", value)
        self.statement(name, "=", value, self.bare(axes))
        rows = f"{name}r"
        if self.chance(3):
            self.statement(
                rows,
                "+=",
                Expr(access(name, axes), ATOM, frozenset(axes), 1.0),
                self.bare([s, *others]),
            )
        block, self.block, self.scanned = self.block, None, ()
        heads = [f"scan {i}{' down' if down[i] else ''}:" for i in (s, t)]
        lines = [heads[0], f"    {heads[1]}", *(f"        {line}" for line in block)]
        self.case.statements.append("\n".join(lines))
        self.add(name, axes, 1.0)
        self.case.finished[-1] = None
        if len(block) > 1:
            self.add(rows, (s, *others), 4.0)
            self.case.finished[-1] = None
        return None
