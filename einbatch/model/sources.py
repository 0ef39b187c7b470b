"""Where a program's data comes from: the sources that it names, and those that its user names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from einbatch.data import Stored, Vocabulary, check_root, load_all, load_source
from einbatch.data import classes as read_classes
from einbatch.ir import Program, Tensor
from einbatch.model.arrays import Array
from einbatch.plan import allowance

KEPT_IN_FILE = 64 << 20
"""Bytes from which on an array stays in its file, where the format allows that."""


IN_MEMORY = "an array"
"""Where an array comes from that a caller gave, as a run's record says it."""


def named_sources(names: Iterable[str], sources: Mapping[str, str]) -> dict[str, str]:
    """Where each given array comes from, for a run's record."""
    return {name: sources.get(name, IN_MEMORY) for name in names}


class Sources:
    """Reads arrays for a program's tensors.

    Inputs `in` one index share the classes of text labels; the first that is read
    fixes them.
    """

    def __init__(self, program: Program, folder: Path | None, root: object = None) -> None:
        self._program = program
        self._folder = folder
        self._root = check_root(root)
        self._loaded: dict[str, Array | Stored] = {}
        self._vocabularies: dict[str, Vocabulary] = {}

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes that text labels gave, by index: class k is the name k.

        By the input's own name where it is not declared `in` an index. Only of what
        has been read.
        """
        found = self._vocabularies.items()
        return {name: vocabulary.names for name, vocabulary in found if vocabulary.names}

    def adopt(self, classes: Mapping[str, tuple[str, ...]]) -> None:
        """Takes classes that are known before anything is read: those of saved params."""
        for name, names in classes.items():
            self._vocabularies[name] = Vocabulary(names)

    def load(self, tensor: Tensor) -> Array | Stored:
        """The array that an input's `from` names; read once."""
        if tensor.name not in self._loaded:
            assert tensor.source is not None
            self._loaded[tensor.name] = load_source(
                tensor.source,
                self._folder or Path.cwd(),
                tensor.name,
                tensor.span,
                limit_bytes=allowance(),
                keep_from=KEPT_IN_FILE,
                classes=self._vocabulary(tensor),
                root=self._root,
            )
        return self._loaded[tensor.name]

    def read(self, name: str, reference: str) -> Array | Stored:
        """The array of a file that the user named for a tensor."""
        return load_source(
            reference,
            None,
            name,
            limit_bytes=allowance(),
            keep_from=KEPT_IN_FILE,
            classes=self._vocabulary(self._program.tensor(name)),
        )

    def read_all(self, path: Path, names: Iterable[str]) -> dict[str, Array | Stored]:
        """The arrays of these tensors in a file that the user named; "" is one without a name."""
        known = tuple(names)
        vocabularies = {name: self._vocabulary(self._program.tensor(name)) for name in known}
        classes = {name: found for name, found in vocabularies.items() if found is not None}
        return load_all(path, allowance(), known, keep_from=KEPT_IN_FILE, classes=classes)

    def _vocabulary(self, tensor: Tensor) -> Vocabulary | None:
        """The classes that a tensor's numbers stand for; None where they are just numbers."""
        if not tensor.integer:
            return None
        return self._vocabularies.setdefault(tensor.member or tensor.name, Vocabulary())


def classes(source: str) -> tuple[str, ...]:
    """The names of the classes in a column of text, sorted: class k is the name k.

    `source` names a table and its column, `iris.csv:species`; there are no names, `()`,
    where it holds numbers. Raises EinbatchError where it cannot be read.
    """
    return read_classes(source, limit_bytes=allowance())
