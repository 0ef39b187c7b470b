"""Writes text.npz: this repository's own documentation, for models of language to learn.

    python programs/course/data/make_text.py

`text` [n] has one number a character, `start` [m] the places, 64 apart, where a window
of 64 characters and the one after it fits; `vocabulary` [64] has the characters, the most
frequent first, and last `¤` for all others. It reads README.md, CONTRIBUTING.md and what
lies in grammar, docs and einbatch/diagnostics/pages, as they are when it is run.
"""

from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
FOLDERS = ("grammar", "docs", "einbatch/diagnostics/pages")
CHARACTERS, WINDOW, OTHER = 64, 64, "¤"


def main() -> None:
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    paths += [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
    written = "\n".join(path.read_text("utf-8") for path in paths)
    common = Counter(written).most_common(CHARACTERS - 1)
    vocabulary = [character for character, _ in common] + [OTHER]
    numbers = {character: number for number, character in enumerate(vocabulary)}
    text = np.array([numbers.get(character, CHARACTERS - 1) for character in written], np.uint8)
    start = np.arange(0, len(text) - WINDOW, WINDOW, dtype=np.int64)
    np.savez_compressed(HERE / "text.npz", text=text, start=start, vocabulary=np.array(vocabulary))


if __name__ == "__main__":
    main()
