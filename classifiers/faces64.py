"""`builtin:faces64-classifier`: perceived gender, race and age of a face, trained on FairFace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from fairaudit.classifiers.facenet import FaceNet
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch.nn.functional import interpolate
from torchvision.transforms.functional import center_crop

from fairaudit.cards import Card, described
from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.models.builtin import asset
from fairaudit.networks import refuse, side_by_side

BATCH, BATCH_OF_CPU = 64, 32
"""Rows of a network call; the last call is padded, so that a label does not depend on its neighbours."""


class Faces64Classifier:
    """The built-in classifier: what it is shown, cut square and resized, is taken as one face.

    The network works in channels-last order. On CUDA it runs in half precision (autocast), elsewhere in
    float32, as it was calibrated.
    """

    name = "builtin:faces64-classifier"
    crop = Crop(margin=0.25)

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder, device
        self.batch = BATCH_OF_CPU if device.type == "cpu" else BATCH
        try:
            config = json.loads((folder / "config.json").read_text())
            state = load_file(folder / "model.safetensors")
        except OSError as error:
            raise ModelError(f"cannot load the classifier in {folder}: {error}") from error
        self.values: Mapping[str, tuple[str, ...]] = {
            name: tuple(values) for name, values in config["values"].items()
        }
        self.size: int = config["size"]
        self.preprocessing = f"square, {self.size} pixels, Lanczos"
        self.temperature: Mapping[str, float] = config["temperature"]
        self.net = FaceNet({name: len(values) for name, values in self.values.items()})
        self.net.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in state.items()})
        self.net = self.net.eval().fold().to(device).to(memory_format=torch.channels_last)

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        parts = [images[begin : begin + self.batch] for begin in range(0, len(images), self.batch)]
        found = side_by_side(self._read, parts, self.device)
        return Reading(
            {name: np.concatenate([part.probabilities[name] for part in found]) for name in self.values},
            np.concatenate([part.features for part in found]),
        )

    def log_probabilities(self, pictures: torch.Tensor, attribute: str) -> torch.Tensor:
        """Log-probability (n, K) of every value in pictures (n, 3, h, w) in [-1, 1], differentiable.

        Pictures of another size are cut square and resized, not quite as `read` does (bicubic).
        """
        faces = pictures.float()
        height, width = faces.shape[2:]
        if (height, width) != (self.size, self.size):
            faces = center_crop(faces, [min(height, width)] * 2)
            faces = interpolate(faces, (self.size, self.size), mode="bicubic", antialias=True)
        logits = self.net.logits(self.net.features(faces))[attribute]
        return logits.div(self.temperature[attribute]).log_softmax(1)

    def calibration(self, attribute: str) -> Calibration | None:
        """The confusion counts on FairFace validation faces."""
        path = self.folder / f"{attribute}.calibration.json"
        return Calibration.load(path) if path.exists() else None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights."""
        return {"model.safetensors": sha256_of(self.folder / "model.safetensors")}

    def _fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.shape == (self.size, self.size, 3):
            return image
        resized = ImageOps.fit(Image.fromarray(image), (self.size, self.size), Image.Resampling.LANCZOS)
        return np.asarray(resized)

    def _read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """The same of at most one batch."""
        features = self._features(np.stack([self._fit(image) for image in images]))
        probabilities = self._probabilities(features)
        return Reading(
            {name: rows[: len(images)].cpu().numpy() for name, rows in probabilities.items()},
            features[: len(images)].cpu().numpy(),
        )

    @torch.inference_mode()
    def _features(self, faces: NDArray[np.uint8]) -> torch.Tensor:
        padded = np.concatenate([faces, np.zeros((self.batch - len(faces), *faces.shape[1:]), np.uint8)])
        # Pictures are stored channels last, so no number is moved.
        images = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        with torch.autocast("cuda", torch.float16, enabled=self.device.type == "cuda"):
            features = self.net.features(images.contiguous(memory_format=torch.channels_last))
        return features.float()

    @torch.inference_mode()
    def _probabilities(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.net.logits(features)
        return {name: scores.div(self.temperature[name]).softmax(1) for name, scores in logits.items()}


@described(Card("gender, race, age", "CC BY 4.0", "4.7 MB", find=lambda: asset("faces64-classifier")))
def load(request: ClassifierRequest) -> Faces64Classifier:
    """Gender, race and age of faces of 64 x 64, with the package's own weights."""
    for option in ("weights", "outputs"):
        refuse(Faces64Classifier.name, option, getattr(request, option), "it has its own")
    return Faces64Classifier(asset("faces64-classifier"), request.device)
