"""`analytic:gmm`: gender, race and age of the pictures of the generator of that name, read by Bayes' rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from fairaudit.attributes import ATTRIBUTES, join
from fairaudit.cards import Card, described
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.models import analytic
from fairaudit.models.gaussian import value_posterior
from fairaudit.networks import refuse
from fairaudit.statistics.transfer import confidence_histogram

BATCH = 256
"""Rows that are read together; the last are padded, so that a label does not depend on its neighbours."""

DRAWS = 50
"""Pictures of each of the 126 components that the calibration counts."""

JOINT = " x "


class GaussianClassifier:
    """The exact posterior of every value, all components taken as equally frequent.

    The features are the clean latents, the colours of the 8 x 8 cells.
    """

    name = analytic.NAME
    crop = Crop(margin=0.0)
    preprocessing = "mean colours of 8 x 8 cells"
    values: Mapping[str, tuple[str, ...]]

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.model = analytic.load(device, torch.float64)
        self.values = {attribute.name: attribute.values for attribute in analytic.ASKED}
        self.size = analytic.SHAPE[1] * analytic.ZOOM

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        pictures = np.stack([self._fit(image) for image in images])
        probabilities: dict[str, list[Tensor]] = {name: [] for name in self.values}
        features = []
        for begin in range(0, len(pictures), BATCH):
            part = pictures[begin : begin + BATCH]
            latents = self._latents(part)
            features.append(latents[: len(part)].flatten(1))
            for name in self.values:
                probabilities[name].append(self._judge(latents, name)[: len(part)].exp())
        return Reading(
            {name: torch.cat(parts).float().cpu().numpy() for name, parts in probabilities.items()},
            torch.cat(features).float().cpu().numpy(),
        )

    def log_probabilities(self, pictures: Tensor, attribute: str) -> Tensor:
        """Log-probability (n, K) of every value in pictures (n, 3, h, w) in [-1, 1], differentiable."""
        latents = adaptive_avg_pool2d(pictures, analytic.SHAPE[1:])
        return self._judge(latents, attribute)

    def calibration(self, attribute: str) -> Calibration | None:
        """How this classifier reads pictures drawn from every component; two attributes also jointly."""
        parts = attribute.split(JOINT)
        if not set(parts) <= set(self.values):
            return None
        joined = join([ATTRIBUTES[part] for part in parts])
        members = self.model.meanings.members(joined).double()
        read = self._drawn.probabilities
        together = read[parts[0]]
        for part in parts[1:]:
            together = (together[:, :, None] * read[part][:, None]).reshape(len(together), -1)
        truth = members.argmax(0).repeat_interleave(DRAWS).numpy()
        confusion = np.zeros((len(members), len(members)), np.int64)
        np.add.at(confusion, (truth, together.argmax(1)), 1)
        return Calibration(
            schema=1,
            classifier=self.name,
            attribute=attribute,
            values=joined.values,
            confusion=tuple(map(tuple, confusion.tolist())),
            data=f"{DRAWS} pictures drawn from every component of the exact mixture",
            confidence=tuple(confidence_histogram(together).tolist()),
        )

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the mixture."""
        return analytic.fingerprint()

    @cached_property
    def _drawn(self) -> Reading:
        """Pictures of every component, one component after the other, as they are read."""
        components = torch.arange(len(analytic.CELLS)).repeat_interleave(DRAWS)
        weights = torch.nn.functional.one_hot(components, len(analytic.CELLS))
        points, _ = self.model.mixture.given(weights).draw(len(weights), torch.Generator().manual_seed(0))
        return self.read(list(self.model.decode(points.reshape(-1, *analytic.SHAPE))))

    def _judge(self, latents: Tensor, attribute: str) -> Tensor:
        members = self.model.meanings.members(ATTRIBUTES[attribute]).to(self.device)
        return value_posterior(self.model.mixture, members, latents)

    def _fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.shape == (self.size, self.size, 3):
            return image
        resized = ImageOps.fit(Image.fromarray(image), (self.size, self.size), Image.Resampling.LANCZOS)
        return np.asarray(resized)

    def _latents(self, pictures: NDArray[np.uint8]) -> Tensor:
        """The colours (BATCH, 3, 8, 8) of the cells, in [-1, 1]."""
        padded = np.concatenate([pictures, np.zeros((BATCH - len(pictures), *pictures.shape[1:]), np.uint8)])
        images = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2).double().div(127.5).sub(1)
        return adaptive_avg_pool2d(images, analytic.SHAPE[1:])


@described(Card("gender, race, age", "Apache-2.0", "none", get="none needed"))
def load(request: ClassifierRequest) -> GaussianClassifier:
    """The classifier of the generator `analytic:gmm`."""
    for option in ("weights", "outputs"):
        refuse(GaussianClassifier.name, option, getattr(request, option), "it has its own")
    return GaussianClassifier(request.device)
