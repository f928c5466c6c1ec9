"""The detector that needs no download: it finds faces, the same ones in any company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fairaudit.classifiers.haar import Haar
from numpy.typing import NDArray
from PIL import Image

from fairaudit import registry
from fairaudit.faces import Finder


@pytest.fixture(scope="module")
def detector() -> Haar:
    made = registry.load("detectors", "haar")()
    assert isinstance(made, Haar)
    return made


@pytest.fixture(scope="module")
def portraits(test_data: Path) -> list[NDArray[np.uint8]]:
    files = sorted((test_data / "fairface224").glob("10*.jpg"))
    return [np.asarray(Image.open(file).convert("RGB")) for file in files[:24]]


def test_plain_and_tiny_pictures_show_nobody(detector: Haar) -> None:
    for shape in ((1, 1), (5, 300), (64, 64), (900, 1200)):
        assert detector.find(np.full((*shape, 3), 140, np.uint8)) == []
    rows, columns = np.mgrid[:300, :400]
    scenery = np.stack([rows / 2, columns / 3, 255 - rows / 2], axis=-1).astype(np.uint8)
    assert detector.find(scenery) == []


def test_most_portraits_show_one_face_in_their_middle(
    detector: Haar, portraits: list[NDArray[np.uint8]]
) -> None:
    found = [detector.find(picture) for picture in portraits]
    seen = [faces[0] for faces in found if len(faces) == 1]
    assert len(seen) >= 0.6 * len(portraits)
    boxes = np.array([face.box for face in seen])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.median(np.abs(centres - 112)) < 25
    assert 80 < np.median(boxes[:, 2]) < 224
    assert all(face.points is None for face in seen)


def test_two_people_are_two_faces_whatever_the_size_of_the_picture(
    detector: Haar, portraits: list[NDArray[np.uint8]]
) -> None:
    one, two = [picture for picture in portraits if len(detector.find(picture)) == 1][:2]
    collage = np.full((500, 900, 3), 128, np.uint8)
    collage[100:324, 80:304], collage[150:374, 560:784] = one, two
    small = detector.find(collage)
    assert len(small) == 2
    large = detector.find(np.asarray(Image.fromarray(collage).resize((2700, 1500))))
    assert len(large) == 2
    for near, far in zip(small, large, strict=True):
        np.testing.assert_allclose(np.array(far.box) / 3, near.box, atol=25)
    assert Finder("exclude-many", detector)(collage) == "many_faces"
    assert Finder("largest", detector)(collage) in small


def test_threads_find_what_one_thread_finds(detector: Haar, portraits: list[NDArray[np.uint8]]) -> None:
    alone = [detector.find(picture) for picture in portraits[:8]]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(detector.find, portraits[:8] * 3)) == alone * 3


def test_it_says_whose_weights_it_has_and_how_often_it_misses(detector: Haar) -> None:
    assert list(detector.fingerprint()) == ["haarcascade_frontalface_alt2.xml"]
    assert "21 %" in detector.caveats[0]
