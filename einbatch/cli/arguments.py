"""The parser of the command line, and its small grammars (`NAME=VALUE`, `NAME=FILE:KEY`)."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Iterable
from typing import Any

NAME = re.compile(r"[^\W\d][^\s=/\\.:]*")


class Misuse(Exception):
    """A command line that no file or data could make right."""


class _Version(argparse.Action):
    """`--version`; the version is looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"einbatch {version('einbatch')}")
        parser.exit()


# Any: argparse's own type of what `add_subparsers` gives is private.
Verbs = Any


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="einbatch",
        description="Tensor programs in Einstein notation, derived and trained.",
        epilog="`einbatch VERB --help` tells more.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    _run(verbs)
    _eval(verbs)
    _predict(verbs)
    _grad(verbs)
    _check(verbs)
    _plan(verbs)
    _fmt(verbs)
    _export(verbs)
    _report(verbs)
    _explain(verbs)
    return top


def _verb(verbs: Verbs, name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002
    added: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
    return added


def _program(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="an .ein file")
    verb.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=constant,
        help="override a constant; may repeat",
    )


def _data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--data",
        metavar="FILE|NAME=FILE[:KEY]",
        action="append",
        default=[],
        help="bind inputs and params by name; may repeat",
    )
    verb.add_argument(
        "--data-root",
        metavar="DIR",
        help="let the file's own paths point anywhere below this folder, too",
    )


def _precision(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dtype", choices=("float32", "float64"), help="override the dtype")


def _backend(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--backend",
        choices=("numpy", "loops", "jax", "torch"),
        default="numpy",
        help="what runs it",
    )


def _load(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--load", metavar="FILE.safetensors", help="read the params")
    verb.add_argument(
        "--map",
        metavar="OURS=THEIRS",
        action="append",
        default=[],
        help="names in that file, `W[j,i]=fc.weight[i,j]` with axes; may repeat",
    )


def _run(verbs: Verbs) -> None:
    verb = _verb(verbs, "run", "Train if the file says `train`, else evaluate and print.")
    _program(verb)
    _data(verb)
    _backend(verb)
    _precision(verb)
    verb.add_argument("--epochs", metavar="N", type=_count(0), help="override the train line")
    verb.add_argument("--batch", metavar="N", type=_count(1), help="override the train line")
    verb.add_argument("--seed", metavar="N", type=_count(0), help="override the train line")
    verb.add_argument(
        "--holdout",
        metavar="N|FILE|NAME=FILE[:KEY]",
        action="append",
        default=[],
        help="hold out a part (0.2) or a number of examples, or others; may repeat",
    )
    verb.add_argument(
        "--patience", metavar="N", type=_count(0), help="end after N epochs without a better one"
    )
    verb.add_argument("--no-train", action="store_true", help="evaluate and print only")
    verb.add_argument("--grad", action="store_true", help="also evaluate the backward pass")
    verb.add_argument("--out", metavar="FILE.npz", help="write every named tensor")
    verb.add_argument("--save", metavar="FILE.safetensors", help="write the params")
    _load(verb)
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    _recording(verb)


def _recording(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("while it trains")
    group.add_argument("--checkpoint", metavar="DIR", help="save the run in this new folder")
    group.add_argument(
        "--checkpoint-every",
        metavar="STEPS",
        type=_count(1),
        help="a checkpoint after so many updates (default: after each epoch)",
    )
    group.add_argument(
        "--keep", metavar="K", type=_count(1), help="keep the last K and the best (default: 3)"
    )
    group.add_argument(
        "--resume", metavar="DIR", help="go on in this folder, from its newest checkpoint"
    )
    group.add_argument("--log", metavar="FILE.jsonl", help="write a log, a JSON object a line")
    group.add_argument("--tensorboard", metavar="DIR", help="write TensorBoard's event files")
    group.add_argument(
        "--check-finite",
        action=argparse.BooleanOptionalAction,
        help="stop at the first NaN or infinity (default: in the first 100 updates)",
    )
    group.add_argument(
        "--deterministic", action="store_true", help="the same bits for any number of threads"
    )


def _eval(verbs: Verbs) -> None:
    verb = _verb(verbs, "eval", "Print the loss and the reports of trained params on data.")
    _program(verb)
    _data(verb)
    _load(verb)
    _backend(verb)
    _precision(verb)
    verb.add_argument("--json", action="store_true", help="print one JSON object")


def _predict(verbs: Verbs) -> None:
    verb = _verb(verbs, "predict", "Write what trained params say of each example.")
    _program(verb)
    _data(verb)
    _load(verb)
    verb.add_argument(
        "--output",
        metavar="NAME",
        action="append",
        default=[],
        help="this tensor; may repeat, or list with commas (default: the last without labels)",
    )
    verb.add_argument(
        "--out", metavar="FILE", help="a .csv, .tsv, .npz or .parquet (default: a table on stdout)"
    )
    _backend(verb)
    _precision(verb)


def _grad(verbs: Verbs) -> None:
    verb = _verb(verbs, "grad", "Print the derived backward program.")
    _program(verb)
    verb.add_argument(
        "--wrt",
        metavar="NAME",
        action="append",
        default=[],
        help="derive with respect to this input too; may repeat, or list with commas",
    )
    verb.add_argument("--raw", action="store_true", help="before simplification")
    verb.add_argument("--update", action="store_true", help="with objective and update statements")


def _check(verbs: Verbs) -> None:
    verb = _verb(verbs, "check", "Print all errors and warnings.")
    _program(verb)
    verb.add_argument(
        "--grads", action="store_true", help="check gradients, and hand-written .grad statements"
    )
    verb.add_argument("-v", "--verbose", action="store_true", help="list indices and tensors")
    _precision(verb)


def _plan(verbs: Verbs) -> None:
    verb = _verb(verbs, "plan", "Print contraction orders, FLOPs, buffers and peak memory.")
    _program(verb)
    _data(verb)
    _precision(verb)
    verb.add_argument("--batch", metavar="N", type=_count(1), help="examples in a minibatch")
    verb.add_argument("--source", action="store_true", help="print the generated module")
    verb.add_argument(
        "--without",
        metavar="PASS",
        action="append",
        default=[],
        help="leave out this pass, to see what it does; may repeat",
    )


def _fmt(verbs: Verbs) -> None:
    verb = _verb(verbs, "fmt", "Rewrite files in the canonical form.")
    verb.add_argument("files", metavar="FILE", nargs="+", help="an .ein file")
    verb.add_argument("--check", action="store_true", help="only tell which files would change")


def _export(verbs: Verbs) -> None:
    verb = _verb(verbs, "export", "Write the generated module.")
    _program(verb)
    _data(verb)
    _precision(verb)
    verb.add_argument("--to", choices=("numpy",), required=True, help="the target")
    verb.add_argument("--batch", metavar="N", type=_count(1), help="examples in a minibatch")
    verb.add_argument("-o", "--out", metavar="FILE", help="where to (default: stdout)")


def _report(verbs: Verbs) -> None:
    verb = _verb(verbs, "report", "Write the report of a run, one page of HTML.")
    verb.add_argument("run", metavar="RUN", help="the folder of a run's checkpoints and log")
    verb.add_argument("--out", metavar="FILE.html", help="where to (default: RUN/report.html)")


def _explain(verbs: Verbs) -> None:
    verb = _verb(verbs, "explain", "Tell the long story of an error code.")
    verb.add_argument("code", metavar="CODE", help="for example E0203")


def constant(text: str) -> tuple[str, int | float]:
    """`NAME=VALUE` with a number."""
    name, equals, value = text.partition("=")
    if not equals or not NAME.fullmatch(name.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    value = value.strip()
    try:
        if re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            return name.strip(), int(value)
        number = float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{value!r} is not a finite number")
    return name.strip(), number


def constants(pairs: Iterable[tuple[str, int | float]]) -> dict[str, int | float]:
    """The constants that `--set` gives; the last one of a name counts."""
    return dict(pairs)


def _count(least: int) -> Any:  # Any: what argparse calls a type
    def count(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer from {least}")
        return int(text)

    return count


def binding(text: str) -> tuple[str | None, str]:
    """`NAME=FILE[:KEY]` as a name and a reference; a file alone has no name."""
    name, equals, reference = text.partition("=")
    if equals and NAME.fullmatch(name) and not os.path.exists(text):
        if not reference:
            raise Misuse(f"--data {text}: there is no file behind `=`")
        return name, reference
    return None, text
