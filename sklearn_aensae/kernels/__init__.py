"""Products on sparse codes: the operations whose cost should follow the number of active codes."""

from sklearn_aensae.kernels.active import active_decode, active_encode
from sklearn_aensae.kernels.by_column import ByColumn, sort_by_column
from sklearn_aensae.kernels.codes import ActiveCodes, Codes, DenseCodes
from sklearn_aensae.kernels.dense import dense_decode, dense_relu_encode
from sklearn_aensae.kernels.groups import group_reconstructions
from sklearn_aensae.kernels.linear import iter_pre_codes
from sklearn_aensae.kernels.nested_error import nested_squared_error
from sklearn_aensae.kernels.pattern import Pattern
from sklearn_aensae.kernels.precision import PRECISIONS, matmul_precision
from sklearn_aensae.kernels.products import use_triton
from sklearn_aensae.kernels.selection import (
    Selected,
    select_above,
    select_top,
    select_top_by,
    without_padding,
)
from sklearn_aensae.kernels.squared_error import mean_squared_error
from sklearn_aensae.kernels.workspace import Workspace

__all__ = [
    "PRECISIONS",
    "ActiveCodes",
    "ByColumn",
    "Codes",
    "DenseCodes",
    "Pattern",
    "Selected",
    "Workspace",
    "active_decode",
    "active_encode",
    "dense_decode",
    "dense_relu_encode",
    "group_reconstructions",
    "iter_pre_codes",
    "matmul_precision",
    "mean_squared_error",
    "nested_squared_error",
    "select_above",
    "select_top",
    "select_top_by",
    "sort_by_column",
    "use_triton",
    "without_padding",
]
