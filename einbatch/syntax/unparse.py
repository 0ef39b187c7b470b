"""Tree to text: the one printer. What it prints parses back to the same tree.

A tree is printed in the canonical form of `einbatch fmt`, with the comments and
paragraphs of the text that it comes from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from einbatch.diagnostics import NOWHERE, Source, Span
from einbatch.syntax import nodes as n
from einbatch.syntax.names import spellings
from einbatch.syntax.parse import parse
from einbatch.syntax.spelling import key_of
from einbatch.syntax.unparse_expression import Level, Spell, print_expression

INDENT = "    "


def unparse(
    tree: n.Tree | n.Statement | n.Expression, origins: Mapping[Span, str] | None = None
) -> str:
    """The text of a program (with a line end), of a statement or of an expression (without).

    `origins` says of a program's statements, by their place, what they come from: that
    is printed as a comment above them, and an empty line below the last of them.
    """
    match tree:
        case n.Tree():
            spell = partial(_spell, spellings(tree))
            lines = [line for item in tree.statements for line in _lines(item, spell, "")]
            if origins:
                return "".join(text + "\n" for text in _with_origins(lines, origins))
            return "".join(text + "\n" for text in _with_notes(lines, tree))
        case (
            n.Batch() | n.Indices() | n.Let() | n.Input() | n.Param() | n.State() | n.Dtype()
            | n.Def() | n.Scan() | n.For() | n.Assign() | n.Sample()
            | n.Minimize() | n.Report() | n.Train()
        ):  # fmt: skip
            return "\n".join(line.text for line in _lines(tree, partial(_spell, {}), ""))
        case _:
            return print_expression(tree, partial(_spell, {}))


def format_source(source: Source) -> str:
    """A text in canonical form: the same tree, comments and paragraphs kept."""
    return unparse(parse(source))


def _spell(known: dict[str, str], identifier: n.Identifier) -> str:
    base, dot, suffix = identifier.key.partition(".")
    if base in known:
        return known[base] + dot + suffix
    spelled = identifier.spelling
    return spelled if spelled and key_of(spelled) == identifier.key else identifier.key


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the text to be, and the place that it comes from."""

    text: str
    span: Span
    opens: bool = False
    """True where an indented block follows."""


def _lines(statement: n.Statement, spell: Spell, indent: str) -> list[_Line]:
    if not isinstance(statement, n.For | n.Scan):
        return [_Line(indent + _simple(statement, spell), statement.span)]
    header = _header(statement, spell)
    span = statement.span
    if len(statement.body) == 1 and isinstance(statement, n.For):
        first, *rest = _lines(statement.body[0], spell, indent)
        text = f"{indent}{header} {first.text[len(indent) :]}"
        whole = replace(span, end=first.span.end) if rest else span
        return [_Line(text, whole, first.opens), *rest]
    top = _Line(indent + header, replace(span, end=span.start), opens=True)
    inner = indent + INDENT
    return [top, *(line for item in statement.body for line in _lines(item, spell, inner))]


def _header(statement: n.For | n.Scan, spell: Spell) -> str:
    if isinstance(statement, n.Scan):
        return f"scan {spell(statement.index)}{' down' if statement.down else ''}:"
    return f"for {','.join(spell(index) for index in statement.indices)}:"


def _simple(
    statement: n.Declaration | n.Assign | n.Sample | n.Minimize | n.Report | n.Train, spell: Spell
) -> str:
    show = partial(print_expression, spell=spell)
    match statement:
        case n.Assign(target=target, operator=operator, value=value, partial=outside):
            left = f"({show(target)} else 0)" if outside else show(target)
            return f"{left} {operator} {show(value)}"
        case n.Sample(target=target, draw=draw):
            return f"{show(target)} ~ {_draw(draw, spell)}"
        case n.Minimize(sense=sense, target=target, over=over):
            names = f" over {', '.join(map(spell, over))}" if over else ""
            return f"{sense} {show(target)}{names}"
        case n.Report(name=name, value=value):
            return f"report {spell(name)} = {show(value)}"
        case n.Train():
            return _train(statement, spell)
        case _:
            return _declaration(statement, spell)


def _declaration(statement: n.Declaration, spell: Spell) -> str:
    show = partial(print_expression, spell=spell)
    match statement:
        case n.Batch(index=index, extent=extent):
            bound = f" < {show(extent, level=Level.SUM)}" if extent else ""
            return f"batch {spell(index)}{bound}"
        case n.Indices(groups=groups):
            return "index " + ", ".join(
                f"{', '.join(map(spell, group.names))} < {show(group.extent, level=Level.SUM)}"
                for group in groups
            )
        case n.Let(name=name, value=value):
            return f"let {spell(name)} = {show(value)}"
        case n.Input(name=name, axes=axes, member=member, literal=literal, source=source):
            text = f"input {spell(name)}{_axes(axes, spell)}"
            text += f" in {spell(member)}" if member else ""
            text += f" = {_value(literal, spell)}" if literal else ""
            return text + (f' from "{source}"' if source is not None else "")
        case n.Param(name=name, axes=axes, initial=n.Draw() as draw):
            return f"param {spell(name)}{_axes(axes, spell)} ~ {_draw(draw, spell)}"
        case n.Param(name=name, axes=axes, initial=initial):
            assert not isinstance(initial, n.Draw)
            return f"param {spell(name)}{_axes(axes, spell)} = {_value(initial, spell)}"
        case n.State(name=name, axes=axes, initial=initial):
            return f"state {spell(name)}{_axes(axes, spell)} = {_value(initial, spell)}"
        case n.Dtype(name=name):
            return f"dtype {name}"
        case n.Def(name=name, indices=indices, parameters=parameters, body=body):
            inside = ", ".join(map(spell, parameters))
            return f"def {spell(name)}{_axes(indices, spell)}({inside}) = {show(body)}"
        case _:
            assert_never(statement)


def _draw(draw: n.Draw, spell: Spell) -> str:
    inside = ", ".join(print_expression(argument, spell) for argument in draw.arguments)
    return f"{draw.distribution}({inside})"


def _axes(axes: Sequence[n.Identifier], spell: Spell) -> str:
    return f"[{','.join(map(spell, axes))}]" if axes else ""


def _value(value: n.Expression | n.Elements, spell: Spell) -> str:
    """What an input, a param or a state is given; `[e]` alone would be a list of one element."""
    if isinstance(value, n.Elements):
        return f"[{', '.join(_value(item, spell) for item in value.items)}]"
    text = print_expression(value, spell)
    if isinstance(value, n.Iverson) and not isinstance(
        value.condition, n.Compare | n.Logic | n.Not
    ):
        return f"({text})"
    return text


def _train(statement: n.Train, spell: Spell) -> str:
    def option(item: n.Option) -> str:
        return f"{item.name}={print_expression(item.value, spell, Level.SUM)}"

    optimizer = statement.optimizer or ""
    if statement.settings:
        optimizer += f"({', '.join(map(option, statement.settings))})"
    parts = [optimizer] * bool(optimizer) + [option(item) for item in statement.options]
    return f"train {', '.join(parts)}".rstrip()


def _with_notes(lines: Sequence[_Line], tree: n.Tree) -> Iterator[str]:
    """The lines with the comments that stand before and after them, and a tree's paragraphs."""
    if not tree.comments and not tree.blank_lines:
        yield from (line.text for line in lines)
        return
    comments = list(tree.comments)
    line_of = _line_numbers(lines)
    last = 0
    closed = True
    for line in lines:
        if line.span.source is NOWHERE.source:
            yield line.text
            continue
        first, end = line_of(line.span.start), line_of(max(line.span.start, line.span.end - 1))
        indent = line.text[: len(line.text) - len(line.text.lstrip(" "))]
        trailing = ""
        while comments and comments[0].line <= end:
            comment = comments.pop(0)
            if comment.line == end and not comment.alone:
                trailing = "  " + comment.text
                continue
            yield from _gap(tree, last, comment.line, closed)
            yield indent + comment.text
            last, closed = comment.line, True
        yield from _gap(tree, last, first, closed)
        yield line.text + trailing
        last, closed = end, not line.opens
    for comment in comments:
        yield from _gap(tree, last, comment.line, closed)
        yield comment.text
        last, closed = comment.line, True


def _with_origins(lines: Sequence[_Line], origins: Mapping[Span, str]) -> Iterator[str]:
    """The lines, and above those with an origin, where it is another than before, a comment."""
    before = ""
    for line in lines:
        origin = "" if line.opens else origins.get(line.span, "")
        if before and not origin:
            yield ""
        if origin and origin != before:
            indent = line.text[: len(line.text) - len(line.text.lstrip(" "))]
            yield f"{indent}# {origin}"
        yield line.text
        before = origin


def _gap(tree: n.Tree, last: int, following: int, closed: bool) -> Iterator[str]:
    """An empty line where the source has some between two of its lines."""
    if not last or not closed:
        return
    blanks = tree.blank_lines
    at = bisect_right(blanks, last)
    if at < len(blanks) and blanks[at] < following:
        yield ""


def _line_numbers(lines: Sequence[_Line]) -> Callable[[int], int]:
    """A function from a place in the lines' source to its line's number."""
    sources = (line.span.source for line in lines)
    text = next((source.text for source in sources if source is not NOWHERE.source), "")
    starts = [0]
    while (found := text.find("\n", starts[-1])) >= 0:
        starts.append(found + 1)
    return lambda place: bisect_right(starts, place)
