"""Arrays from files and to files, and the order in which training takes them."""

from einbatch.data.draws import generator
from einbatch.data.minibatches import minibatch_order, split_holdout
from einbatch.data.npz import save_npz
from einbatch.data.parameters import load_params, save
from einbatch.data.replace import check_writable
from einbatch.data.sources import load_all, load_source

__all__ = [
    "check_writable",
    "generator",
    "load_all",
    "load_params",
    "load_source",
    "minibatch_order",
    "save",
    "save_npz",
    "split_holdout",
]
