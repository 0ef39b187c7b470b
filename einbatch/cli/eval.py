"""`einbatch eval`: the loss and the reports of trained params on data."""

from __future__ import annotations

import argparse
import sys

from einbatch.cli.data import load_model, read_data, read_params
from einbatch.cli.show import show_json, show_number


def run(arguments: argparse.Namespace) -> int:
    """Evaluates a program; the exit code."""
    model = load_model(arguments)
    given = read_data(model, arguments.data)
    params = read_params(model, given, arguments.load, None, arguments.map)
    found = model.evaluate(params, given.inputs)
    if arguments.json:
        values = {"loss": found.loss, "reports": found.reports, "examples": found.examples}
        print(show_json(values))
        return 0
    loss = {} if found.loss is None else {"loss": found.loss}
    pairs = {**loss, **found.reports}
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        print(f"{name:<{width}}  {show_number(value)}")
    print(f"over {found.examples:,} examples", file=sys.stderr)
    return 0
