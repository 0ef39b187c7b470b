"""`einbatch predict`: what trained params say of each example."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from einbatch.cli.data import load_model, read_data, read_params
from einbatch.data import check_writable
from einbatch.data.predictions import save_predictions, write_table, writer_for
from einbatch.model.classes import with_classes
from einbatch.syntax.spelling import key_of


def run(arguments: argparse.Namespace) -> int:
    """Predicts, and writes a file, or a table to stdout; the exit code."""
    path = None if arguments.out is None else Path(arguments.out)
    if path is not None:
        writer_for(path)
        check_writable(path)
    model = load_model(arguments)
    given = read_data(model, arguments.data)
    params = read_params(model, given, arguments.load, None, arguments.map)
    names = [key_of(name) for part in arguments.output for name in part.split(",") if name]
    values = model.predict(params, given.inputs, outputs=names or None)
    predictions = with_classes(model.front.forward, values, model.classes)
    if path is None:
        write_table(sys.stdout, predictions)
    else:
        save_predictions(path, predictions)
    return 0
