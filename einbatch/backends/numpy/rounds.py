"""Loops of a plan as `for` statements over lists of views, which are made once, outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from einbatch.backends.numpy.views import view_expression
from einbatch.plan.graph import Shape


@dataclass(slots=True)
class Frame:
    """A `for` statement as it is written: what it runs through, and its body."""

    loop: int
    extent: int
    down: bool
    lists: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The variable of a round, and the list that it comes from."""
    before: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])

    def statement(self) -> list[str]:
        """The `for` statement's lines."""
        names = ", ".join(name for name, _ in self.lists) or "_"
        lists = ", ".join(each for _, each in self.lists) or f"range({self.extent})"
        through = f"zip({lists})" if len(self.lists) > 1 else lists
        body = self.lines or ["pass"]
        return [*self.before, f"for {names} in {through}:", *(f"    {line}" for line in body)]


@dataclass(frozen=True, slots=True)
class Moving:
    """A view that moves with the rounds of loops; see `graph.Value`."""

    root: str
    of: Shape
    shape: Shape
    strides: Shape
    offset: int
    steps: Shape
    guards: tuple[Shape, ...]

    def loops(self) -> list[int]:
        """The loops that it moves with, the outermost first."""
        guarding = [loop for guard in self.guards for loop in guard[2::2]]
        return sorted({*self.steps[::2], *guarding})

    def lists(self, frames: list[Frame]) -> str:
        """An expression for the views of all rounds, a list for each loop in the next one's."""
        steps = dict(zip(self.steps[::2], self.steps[1::2], strict=True))
        if len(frames) == 1 and self.shape and steps.get(frames[0].loop, 0) > 0:
            found = self._one_list(frames[0], steps[frames[0].loop])
            if found is not None:
                return found
        if self.shape and not self.guards and all(steps.get(f.loop, 0) > 0 for f in frames):
            return self._nested(frames, steps)
        return self._each(frames, steps)

    def _one_list(self, frame: Frame, step: int) -> str | None:
        first, last = 0, frame.extent
        for constant, extent, _, coefficient in self.guards:
            if coefficient not in (1, -1):
                return None
            if coefficient == 1:
                first, last = max(first, -constant), min(last, extent - constant)
            else:
                first, last = max(first, constant - extent + 1), min(last, constant + 1)
        if first >= last:
            return f"[None] * {frame.extent}"
        wide = view_expression(
            self.root,
            self.of,
            (last - first, *self.shape),
            (step, *self.strides),
            self.offset + first * step,
        )
        parts = [f"[None] * {first}"] if first else []
        parts.append(f"list({wide})")
        parts += [f"[None] * {frame.extent - last}"] if last < frame.extent else []
        whole = " + ".join(parts)
        if not frame.down:
            return whole
        return f"({whole})[::-1]" if len(parts) > 1 else f"{whole}[::-1]"

    def _nested(self, frames: list[Frame], steps: dict[int, int]) -> str:
        wide = view_expression(
            self.root,
            self.of,
            (*(frame.extent for frame in frames), *self.shape),
            (*(steps[frame.loop] for frame in frames), *self.strides),
            self.offset,
        )
        text = f"list({'v' * (len(frames) - 1)})" + ("[::-1]" if frames[-1].down else "")
        for level in range(len(frames) - 2, -1, -1):
            through = "v" * level if level else wide
            text = f"[{text} for {'v' * (level + 1)} in {through}]"
            text += "[::-1]" if frames[level].down else ""
        return text

    def _each(self, frames: list[Frame], steps: dict[int, int]) -> str:
        """Each view by its place in memory."""
        names = {frame.loop: f"n{level}" for level, frame in enumerate(frames)}
        place = _sum(self.offset, [(names[loop], step) for loop, step in steps.items()])
        sizes = "".join(f"{stride} * {self.root}.itemsize, " for stride in self.strides)
        text = (
            f"np.ndarray({_tuple(self.shape)}, {self.root}.dtype, {self.root}, "
            f"({place}) * {self.root}.itemsize, ({sizes.rstrip() if sizes else ''}))"
        )
        conditions = [
            f"0 <= {_sum(constant, [(names[a], c) for a, c in _pairs(terms)])} < {extent}"
            for constant, extent, *terms in self.guards
        ]
        if conditions:
            text = f"{text} if {' and '.join(conditions)} else None"
        for frame in reversed(frames):
            rounds = f"range({frame.extent})"
            through = f"reversed({rounds})" if frame.down else rounds
            text = f"[{text} for {names[frame.loop]} in {through}]"
        return text


def _pairs(terms: list[int]) -> list[tuple[int, int]]:
    return list(zip(terms[::2], terms[1::2], strict=True))


def _sum(constant: int, terms: list[tuple[str, int]]) -> str:
    parts = [name if factor == 1 else f"{factor} * {name}" for name, factor in terms]
    if constant or not parts:
        parts.insert(0, str(constant))
    return " + ".join(parts)


def _tuple(shape: Shape) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"
