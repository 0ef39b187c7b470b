"""What a checkpoint and the training that goes on from it have to agree in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from einbatch.data.datafile import shown
from einbatch.diagnostics import EinbatchError, fail
from einbatch.train.options import Options

FREE = ("epochs", "patience")
"""Options that say how long to train: they may change when a training goes on."""
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Identity:
    """A program's canonical text, updates included; its precision, extents and options."""

    program: str
    dtype: str
    extents: Mapping[str, int]
    options: Mapping[str, object]

    @staticmethod
    def of(program: str, dtype: str, extents: Mapping[str, int], options: Options) -> Identity:
        """The identity of a training by these options."""
        fixed = {name: value for name, value in asdict(options).items() if name not in FREE}
        return Identity(program, dtype, dict(extents), fixed)

    def to_json(self) -> dict[str, object]:
        """As a manifest holds it."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Identity:  # Any: JSON, checked as it is read
        """What `to_json` gave; KeyError, ValueError or TypeError where it is something else."""
        extents = {str(name): int(extent) for name, extent in value["extents"].items()}
        options = {str(name): item for name, item in value["options"].items()}
        return Identity(str(value["program"]), str(value["dtype"]), extents, options)

    def check(self, mine: Identity, where: str) -> None:
        """E0632 where a training's identity, `mine`, is not this of the checkpoint `where`."""
        if self.dtype != mine.dtype:
            raise _another(where, "dtype", self.dtype, mine.dtype)
        if self.program != mine.program:
            lines = zip_longest(self.program.splitlines(), mine.program.splitlines())
            theirs, ours = next((a, b) for a, b in lines if a != b)
            raise _another(where, "program", _line(theirs), _line(ours))
        for kind, theirs, ours in (
            ("extent", self.extents, mine.extents),
            ("option", self.options, mine.options),
        ):
            for name in sorted({*theirs, *ours}):
                pair = (theirs.get(name, NOTHING), ours.get(name, NOTHING))
                if pair[0] != pair[1]:
                    raise _another(where, kind, *(f"`{name}` = {value}" for value in pair))


def _line(line: str | None) -> str:
    return "the program's end" if line is None else shown(line.strip())


def _another(where: str, what: str, theirs: str, ours: str) -> EinbatchError:
    return fail(
        "E0632",
        f"{shown(where)} is of another {what}: there {theirs}, here {ours}",
        help="resume with what it was made with, or start anew from its params:"
        " `--load …/params.safetensors`",
    )
