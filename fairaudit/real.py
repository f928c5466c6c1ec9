"""Features of real pictures, with what every distance to them needs and is computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fairaudit.metrics.kernels import Similar, cubic, gaussian
from fairaudit.metrics.neighbours import Manifold
from fairaudit.metrics.quality import Moments, Reference


class Real:
    """Real pictures as a network sees them.

    Parameters
    ----------
    features
        (m, d); None where only statistics are known, or nothing.
    moments
        Their mean and covariance, where the features are not known.
    reason
        Why there is nothing at all.
    """

    def __init__(
        self,
        features: NDArray[np.float64] | None = None,
        moments: Moments | None = None,
        reason: str | None = None,
    ) -> None:
        self.features, self.reason = features, reason
        self._moments = moments

    @property
    def dimensions(self) -> int | None:
        """Of a feature vector, where there is any."""
        if self.features is not None:
            return int(self.features.shape[1])
        return None if self._moments is None else len(self._moments.mean)

    @cached_property
    def reference(self) -> Reference:
        """For Frechet distances."""
        moments = Moments.of(self.features) if self._moments is None else self._moments  # type: ignore[arg-type]
        return Reference(moments)

    @cached_property
    def cubic(self) -> Similar:
        """For KID."""
        return Similar(self._known, cubic)

    @cached_property
    def gaussian(self) -> Similar:
        """For CMMD."""
        return Similar(self._known, gaussian)

    @cached_property
    def manifold(self) -> Manifold:
        """For precision, recall, density and coverage."""
        return Manifold(self._known)

    @property
    def _known(self) -> NDArray[np.float64]:
        assert self.features is not None, "only where the features are known"
        return self.features
