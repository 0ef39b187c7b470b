"""Text labels as classes: each text is a number, in the order of the sorted texts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from einbatch.data.datafile import Labels, shown
from einbatch.diagnostics import fail


def label(codes: Iterable[int] | NDArray[np.int64], texts: Iterable[str]) -> Labels:
    """Labels out of `texts` in any order, each once, and the number in it of each row's text."""
    listed = list(texts)
    names = sorted(listed)
    rank = {text: number for number, text in enumerate(names)}
    table = np.array([rank[text] for text in listed], np.int64)
    return Labels(table[np.asarray(codes, np.intp)], tuple(names))


class Vocabulary:
    """The names of classes. The first labels that are coded fix it, later ones follow it."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(names)

    def code(self, labels: Labels, where: str) -> NDArray[np.int64]:
        """The number of each row's class; E0640 for a text that is none of the names."""
        if not self.names:
            self.names = labels.names
        if labels.names == self.names:
            return labels.codes
        rank = {name: number for number, name in enumerate(self.names)}
        for name in labels.names:
            if name not in rank:
                known = ", ".join(shown(item, 40) for item in self.names[:12])
                more = f" and {len(rank) - 12} more" if len(rank) > 12 else ""
                raise fail(
                    "E0640",
                    f"{where} has the label {shown(name, 40)}, and the classes are {known}{more}",
                    help="inputs `in` one index share its classes, which the first of them gives",
                )
        return np.array([rank[name] for name in labels.names], np.int64)[labels.codes]
