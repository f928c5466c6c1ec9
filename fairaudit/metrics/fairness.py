"""How far shares are from the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def fairness_discrepancy(shares: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """L2 norm of (share - target), over *declared* values (Choi et al., ICML 2020, arXiv 1910.12008).

    Not squared, as some later work has it. For two values it is sqrt(2) * |share - target|.

    Parameters
    ----------
    shares
        (..., K) shares of every declared value; one that never occurred is 0, not absent.
    target
        (K,) fair shares.

    Returns
    -------
    (...) discrepancies, at least 0; at most sqrt(2), for a target of one value.
    """
    difference = np.asarray(shares, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    return np.asarray(np.linalg.norm(difference, axis=-1))
