"""Retrofitting (Faruqui et al. 2015), expanded to terms without a base vector (Speer et al. 2017).

Each sweep moves every term to the weighted mean of its neighbours, and a term that has a base vector half of the way
back to that. A term without one is the mean of its neighbours alone, and has none itself while none of them has: five
sweeps reach whatever is five edges away from a base vector.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

SWEEPS = 5
"""How often each vector is computed anew; the paper's is 10, ConceptNet's 5."""

_BASE_WEIGHT = 1.0  # of the base vector, beside the neighbours, which are 1 together (Faruqui et al., s2: alpha, beta)
_COLUMNS = 64  # dimensions that are computed at once: each is independent of the others, and memory stays small


def neighbours(
    count: int, heads: Sequence[int], tails: Sequence[int], weights: Sequence[float] | NDArray[np.float64]
) -> sparse.csr_matrix:
    """Return how much each term weighs for each other one: (count, count), rows that sum to 1 or are empty.

    Edges hold in both directions; the weights of several edges between two terms add up, edges of a term with itself
    are left out.

    Args:
        count: number of terms.
        heads: place of each edge's head.
        tails: place of its tail.
        weights: above 0.
    """
    rows, columns = np.asarray(heads, dtype=np.int32), np.asarray(tails, dtype=np.int32)
    values = np.asarray(weights, dtype=np.float32)
    other = rows != columns
    rows, columns, values = rows[other], columns[other], values[other]
    one_way = sparse.csr_matrix((values, (rows, columns)), shape=(count, count), dtype=np.float32)
    both = (one_way + one_way.T).tocsr()
    totals = np.asarray(both.sum(axis=1)).ravel()
    inverse = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return sparse.csr_matrix(sparse.diags(inverse.astype(np.float32)) @ both)


def centre(base: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
    """Take the mean of the known vectors from each, in place, and scale them to length 1 again.

    What all vectors have in common would only bring each nearer to all others (ConceptNet's vectors are centred, too).
    """
    if (count := np.count_nonzero(known)) > 1:
        base -= (known.astype(np.float32) @ base) / np.float32(count)  # a product needs no copy of the known rows
        unit(base)


def retrofit(
    base: NDArray[np.float32], known: NDArray[np.bool_], matrix: sparse.csr_matrix, *, sweeps: int = SWEEPS
) -> NDArray[np.float32]:
    """Return retrofitted vectors of length 1: (terms, dimensions); rows of zeros where nothing is known.

    Args:
        base: (terms, dimensions), unit vectors; rows that are not `known` do not matter. Becomes the result: there is
            no second array of this size.
        known: which terms have a base vector.
        matrix: as of `neighbours`.
        sweeps: at least 0; 0 gives the base vectors again.
    """
    base[~known] = 0
    has_neighbours = np.diff(matrix.indptr) > 0
    keep = np.where(known & has_neighbours, np.float32(_BASE_WEIGHT / (1 + _BASE_WEIGHT)), np.float32(0))
    keep[known & ~has_neighbours] = 1
    move = (1 - keep)[:, None]
    for begin in range(0, base.shape[1], _COLUMNS):
        own = np.ascontiguousarray(base[:, begin : begin + _COLUMNS])
        vectors = own.copy()
        pull = own * keep[:, None]
        for _ in range(sweeps):
            vectors = matrix @ vectors
            vectors *= move
            vectors += pull
        base[:, begin : begin + _COLUMNS] = vectors
    return unit(base)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1, in place; rows of zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]  # NumPy's norm would make a second array
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors
