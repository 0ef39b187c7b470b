"""Every benchmark in its shortest form, with what needs no other library."""

from __future__ import annotations

import doctest
import sys

import pytest

import einbatch as eb
from benchmarks import (
    ablation,
    compile,  # noqa: A004 - a benchmark's name
    contractions,
    mnist,
    models,
    peak,
    perceptron,
    pointwise,
    texts,
)
from benchmarks.harness import main
from einbatch.backends.numpy import native
from einbatch.model.passes import PASSES

SHORT = ("--rounds", "1", "--seconds", "0.001")


@pytest.mark.parametrize("module", [texts, contractions])
def test_the_examples_are_right(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted >= 1


@pytest.mark.parametrize(
    ("suite", "case", "contenders"),
    [
        (perceptron.SUITE, "XS", "einbatch,floor,numpy"),
        (contractions.SUITE, "bilinear", "einbatch,contract,contract_expression,np.einsum"),
        (pointwise.SUITE, "adam 1e3", "einbatch"),
        (pointwise.SUITE, "gelu 1e3", "einbatch"),
    ],
)
def test_contenders_are_right_and_timed(suite, case, contenders, capsys):
    assert main(suite, ["--cases", case, "--contenders", contenders, *SHORT]) == 0
    assert case in capsys.readouterr().out


def test_a_pass_can_be_left_out(capsys):
    arguments = ["--cases", "XS", "--contenders", "einbatch,without fuse_products", *SHORT]
    assert main(ablation.SUITE, arguments, show=ablation.show) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in PASSES)


def test_compiling_is_timed(capsys):
    assert compile.main(["--cases", "1 layer", "--rounds", "1"]) == 0
    assert "1 layer" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux' /proc")
@pytest.mark.skipif(not native.is_available(), reason="NumPy alone takes temporaries")
def test_the_peak_of_a_step_is_what_its_plan_says():
    case = peak.SUITE.case("L")
    x, t, params = perceptron.peers.data(case.work)
    given = x.nbytes + t.nbytes + sum(array.nbytes for array in params.values())
    measured = peak.measured(case, "einbatch")
    assert measured > given
    assert 0.95 * measured <= peak.predicted(case) <= 1.25 * measured


@pytest.mark.parametrize("path", sorted(models.FOLDER.glob("*.ein")), ids=lambda path: path.stem)
def test_the_programs_are_right_and_measured(path):
    assert eb.load(str(path)).warnings == []
    assert path.stem in {"mnist", *(case.name for case in models.CASES)}


def test_a_larger_model_gives_its_gradients():
    running = models.by_einbatch(models.SUITE.case("embedding"))
    running.step()
    found = running.results()
    assert found["E"].shape == (50_000, 128)
    assert 0 < found["loss"] < 10


def test_images_of_digits_are_read_where_they_are():
    if not mnist.FILES.is_dir():
        pytest.skip("no ../shared/data/mnist beside the checkout")
    images, labels = mnist.digits()
    assert images.shape == (10_000, 28, 28)
    assert labels[:4].tolist() == [7, 2, 1, 0]
