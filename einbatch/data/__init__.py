"""Arrays from files and to files, and the order in which training takes them."""

from einbatch.data.datafile import Stored
from einbatch.data.draws import generator
from einbatch.data.labels import Vocabulary
from einbatch.data.minibatches import minibatch_order, split_holdout
from einbatch.data.npz import save_npz
from einbatch.data.parameters import load_classes, load_params, save
from einbatch.data.paths import check_root
from einbatch.data.replace import check_writable
from einbatch.data.sources import classes, load_all, load_source
from einbatch.data.stored import Mapped

__all__ = [
    "Mapped",
    "Stored",
    "Vocabulary",
    "check_root",
    "check_writable",
    "classes",
    "generator",
    "load_all",
    "load_classes",
    "load_params",
    "load_source",
    "minibatch_order",
    "save",
    "save_npz",
    "split_holdout",
]
