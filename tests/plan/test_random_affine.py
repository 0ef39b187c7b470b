"""Random programs of affine subscripts, guards and scans, against the loop nest."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.plan.core import Loop, build, check

EXTENTS = {"a": 2, "b": 3, "c": 2, "d": 4, "e": 1, "s": 3, "t": 4}
ORDINARY = ("a", "b", "c", "d", "e")
Draw = st.DrawFn


@dataclass
class Random:
    """A random program as it grows."""

    draw: Draw
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    items: list[str | Loop] = field(default_factory=list)

    def pick(self, options):
        return self.draw(st.sampled_from(options))

    def fresh(self, letter: str, shape: tuple[int, ...]) -> str:
        name = f"{letter}{len(self.shapes)}"
        self.shapes[name] = shape
        return name

    def subscript(self, indices: tuple[str, ...]) -> tuple[str, int, int]:
        """A subscript, its least and its greatest value."""
        terms = self.draw(st.lists(st.sampled_from(indices), min_size=0, max_size=2))
        text, least, most = "", 0, 0
        for name in terms:
            factor = self.draw(st.sampled_from([1, 1, 1, 2, 3, -1, -2]))
            text += f"{'+' if factor >= 0 and text else ''}{factor}*{name}"
            end = factor * (EXTENTS[name] - 1)
            least, most = least + min(end, 0), most + max(end, 0)
        offset = self.draw(st.integers(-2, 2))
        if not text or offset:
            text += f"{'+' if offset >= 0 and text else ''}{offset}"
        return text, least + offset, most + offset

    def inside(self, indices: tuple[str, ...]) -> tuple[str, int]:
        """A subscript moved inside, and an extent that holds it."""
        text, least, most = self.subscript(indices)
        shift = max(0, -least) + self.draw(st.integers(0, 1))
        return f"{text}+{shift}", most + shift + 1 + self.draw(st.integers(0, 1))

    def read(self, indices: tuple[str, ...]) -> str:
        """A read of an input: inside, or guarded."""
        count = self.draw(st.integers(1, 3))
        if self.draw(st.booleans()):
            parts = [self.inside(indices) for _ in range(count)]
            name = self.fresh("x", tuple(extent for _, extent in parts))
            return f"{name}[{', '.join(text for text, _ in parts)}]"
        texts = [self.subscript(indices)[0] for _ in range(count)]
        shape = tuple(self.draw(st.integers(1, 5)) for _ in texts)
        otherwise = self.pick(["0", "0", "2", indices[0], f"{indices[-1]}/2"])
        return f"other({self.fresh('x', shape)}[{', '.join(texts)}], {otherwise})"

    def value(self, indices: tuple[str, ...], free: tuple[str, ...]) -> str:
        factors = [self.read(indices) for _ in range(self.draw(st.integers(1, 3)))]
        match self.pick(["product", "sum", "function", "reduce"]):
            case "product":
                return "*".join(factors)
            case "sum":
                return " - ".join(factors) + " + " + "*".join(factors)
            case "function":
                return f"tanh({factors[0]})*" + "*".join(factors)
            case _:
                inner = self.pick(["sum", "max", "mean", "logsumexp"])
                rest = [name for name in ORDINARY if name not in free]
                return f"{inner}({'*'.join(factors)}, {self.pick(rest or ['a'])})"

    def names(self, most: int) -> tuple[str, ...]:
        return tuple(
            self.draw(st.lists(st.sampled_from(ORDINARY), min_size=1, max_size=most, unique=True))
        )

    def statement(self, scanned: tuple[str, ...] = ()) -> str:
        free = self.names(3)
        operator = self.pick(["+=", "+=", "-=", "=", "max=", "*="])
        bound = () if operator == "=" else self.names(2)
        value = self.value(tuple(dict.fromkeys((*free, *bound, *scanned))), free)
        if operator == "=":
            used = [name for name in ORDINARY if f"{name}" in value]
            value = f"({value})" if all(name in free for name in used) else "1"
        kind = "plain" if scanned else self.pick(["plain", "inside", "partial"])
        if operator == "=" and kind != "plain":
            operator = "+="
        if kind == "plain":
            name = self.fresh("y", tuple(EXTENTS[n] for n in (*scanned, *free)))
            return f"{name}[{', '.join((*scanned, *free))}] {operator} {value}"
        if kind == "inside":
            parts = [self.inside(free) for _ in range(self.draw(st.integers(1, 3)))]
            name = self.fresh("y", tuple(extent for _, extent in parts))
            return f"{name}[{', '.join(text for text, _ in parts)}] {operator} {value}"
        texts = [self.subscript(free)[0] for _ in range(self.draw(st.integers(1, 3)))]
        name = self.fresh("y", tuple(self.draw(st.integers(1, 5)) for _ in texts))
        return f"~{name}[{', '.join(texts)}] {operator} {value}"

    def scan(self) -> None:
        """A recurrence, what feeds it and what it feeds."""
        two = self.draw(st.booleans())
        scanned = ("s", "t") if two else ("t",)
        free = self.names(2)
        shape = tuple(EXTENTS[name] for name in (*scanned, *free))
        h, total, shifted = (self.fresh("h", s) for s in (shape, shape[len(scanned) :], shape))
        downs = [self.draw(st.booleans()) for _ in scanned]
        earlier = [f"{n}{'+' if down else '-'}1" for n, down in zip(scanned, downs, strict=True)]
        if two and self.draw(st.booleans()):
            earlier[1] = "t"
        own, bare = ", ".join((*scanned, *free)), ", ".join(free)
        previous = ", ".join((*earlier, *free))
        otherwise = self.pick(["0", "1", free[0]])
        first = f"{h}[{own}] = tanh(other({h}[{previous}], {otherwise}))"
        body: list[str | Loop] = []
        body.append(f"{total}[{bare}] += {h}[{own}]*{self.read((*scanned, *free))}")
        back = ", ".join((*(f"{name}-1" for name in scanned), *free))
        body.append(f"~{shifted}[{back}] += {h}[{own}]*{self.read((*scanned, *free))}")
        body += [self.statement(scanned) for _ in range(self.draw(st.integers(0, 2)))]
        body = list(self.draw(st.permutations(body)))
        body.insert(0, f"{first} + {self.read((*scanned, *free))}/4")
        item: list[str | Loop] = body
        for name, down in zip(reversed(scanned), reversed(downs), strict=True):
            item = [Loop(name, item, down)]
            if two and name == "t" and self.draw(st.booleans()):
                other = ", ".join((self.pick(["s-1", "s+1", "s"]), "t", *free))
                item.append(f"~{shifted}[{other}] += {h}[{own}]*{self.read(('s', 't', *free))}")
        self.items += item


@st.composite
def programs(draw: Draw, scans: bool = False):
    made = Random(draw)
    if scans:
        made.scan()
    else:
        for _ in range(draw(st.integers(1, 2))):
            made.items.append(made.statement())
    return made


@settings(max_examples=settings.default.max_examples, suppress_health_check=list(HealthCheck))
@given(programs())
def test_affine_programs(made: Random):
    note(repr(made.shapes) + "\n" + repr(made.items))
    check(build(EXTENTS, made.shapes, *made.items))


@settings(max_examples=settings.default.max_examples, suppress_health_check=list(HealthCheck))
@given(programs(scans=True))
def test_scans(made: Random):
    note(repr(made.shapes) + "\n" + repr(made.items))
    check(build(EXTENTS, made.shapes, *made.items))
