"""Text labels become classes: sorted, numbered from 0, with names that can be had back."""

from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.data import Vocabulary, load_all, load_source

LIMIT = 1 << 20
FLOWERS = "width,species,code\n1.5,virginica,2\n2.5,setosa,0\n0.5,versicolor,1\n1,setosa,0\n"


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    path = tmp_path / "flowers.csv"
    path.write_text(FLOWERS)
    return path


def coded(path: Path, column: str, vocabulary: Vocabulary) -> list[int]:
    found = load_source(
        f"{path.name}:{column}", path.parent, "", limit_bytes=LIMIT, classes=vocabulary
    )
    return np.asarray(found).tolist()


def test_sorted_texts_are_the_classes(flowers: Path) -> None:
    vocabulary = Vocabulary()
    assert coded(flowers, "species", vocabulary) == [2, 0, 1, 0]
    assert vocabulary.names == ("setosa", "versicolor", "virginica")
    assert coded(flowers, "code", numbers := Vocabulary()) == [2, 0, 1, 0]
    assert numbers.names == ()


def test_classes(flowers: Path, refusal) -> None:
    assert eb.classes(f"{flowers}:species") == ("setosa", "versicolor", "virginica")
    assert eb.classes(f"{flowers}:width") == ()
    assert refusal(eb.classes, f"{flowers}:colour").startswith("error[E0611]: ")


def test_letters_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("a\tb\nŷ\t1\nz z\t2\nZ\t3\nnano\t4\nŷ\t5\n")
    vocabulary = Vocabulary()
    assert coded(path, "a", vocabulary) == [3, 2, 0, 1, 3]
    assert vocabulary.names == ("Z", "nano", "z z", "ŷ")


@pytest.mark.parametrize(
    ("cells", "line", "reason"),
    [
        ("a\n1\n", 3, "`1` is a number, and the cells above are class names"),
        ("a\nnan\n", 3, "`nan` is a number, and the cells above are class names"),
        ("1\na\n", 3, "`a` is not a number"),
        ('a\n""\n', 3, "the cell is empty"),
        ('""\na\n', 2, "the cell is empty"),
    ],
)
def test_numbers_and_texts_in_one_column(
    cells: str, line: int, reason: str, tmp_path: Path, refusal
) -> None:
    (tmp_path / "t.csv").write_text("k\n" + cells)
    assert refusal(coded, tmp_path / "t.csv", "k", Vocabulary()).startswith(
        f"error[E0608]: `t.csv`, line {line}, column `k`: {reason}\n"
    )


def test_labels_count_for_the_allowance(tmp_path: Path, refusal) -> None:
    (tmp_path / "t.csv").write_text("k\n" + "".join(f"label{n}\n" for n in range(100)))
    text = refusal(load_source, "t.csv:k", tmp_path, "", limit_bytes=5_000, classes=Vocabulary())
    assert text.startswith("error[E0710]: `t.csv` takes more than 5,000 bytes from row 38 on")


def test_later_columns_follow_the_first(tmp_path: Path, flowers: Path, refusal) -> None:
    (tmp_path / "few.csv").write_text("species\nvirginica\n")
    (tmp_path / "odd.csv").write_text("species\nrosa\n")
    vocabulary = Vocabulary()
    coded(flowers, "species", vocabulary)
    assert coded(tmp_path / "few.csv", "species", vocabulary) == [2]
    assert refusal(coded, tmp_path / "odd.csv", "species", vocabulary) == (
        "error[E0640]: `species` in `odd.csv` has the label `rosa`,"
        " and the classes are `setosa`, `versicolor`, `virginica`\n"
        "  help: inputs `in` one index share its classes, which the first of them gives"
    )


def test_a_whole_file_has_texts_where_classes_are(flowers: Path, refusal) -> None:
    vocabulary = Vocabulary()
    arrays = load_all(flowers, LIMIT, classes={"species": vocabulary})
    assert np.asarray(arrays["species"]).tolist() == [2, 0, 1, 0]
    assert list(arrays) == ["width", "species", "code"]
    assert "line 2, column `species`: `virginica` is not a number" in (
        refusal(load_all, flowers, LIMIT)
    )


MODEL = """batch b < B
index k < 3
input x[b] from "flowers.csv:width"
input t[b] in k from "flowers.csv:species"
param W[k] = 0
for b,k: s[b,k] = W[k]*x[b]
for b: loss[b] = logsumexp[k](s[b,k]) - s[b,t[b]]
minimize loss
train sgd(lr=0.1), batch=2, epochs=1
"""


def test_a_model_knows_the_classes_of_its_labels(flowers: Path) -> None:
    (flowers.parent / "m.ein").write_text(MODEL)
    model = eb.load(flowers.parent / "m.ein")
    assert model.classes == {}
    model.fit()
    assert model.classes == {"k": ("setosa", "versicolor", "virginica")}


def test_text_where_numbers_are_meant(flowers: Path, refusal) -> None:
    text = MODEL.replace(":width", ":species")
    model = eb.parse(text, folder=flowers.parent)
    assert "line 2, column `species`: `virginica` is not a number" in refusal(model.fit)
