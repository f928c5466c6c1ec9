"""How YuNet is called and its answers are taken; OpenCV's network itself is a stand-in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from fairaudit.classifiers import yunet
from fairaudit.classifiers.yunet import YuNet
from numpy.typing import NDArray

from fairaudit.errors import ModelError, UsageError


class Network:
    """Answers as `cv2.FaceDetectorYN` does: one row of 15 a face, or None."""

    made: ClassVar[list[Network]] = []

    def __init__(self, path: str, config: str, size: tuple[int, int], score: float, overlap: float) -> None:
        assert (config, score, overlap) == ("", 0.7, 0.3)
        self.size = size
        self.calls: list[tuple[tuple[int, int], NDArray[np.uint8]]] = []
        self.user: int | None = None
        Network.made.append(self)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 - OpenCV's name
        assert self.user is None, "two threads at once"
        self.user = get_ident()
        self.size = size

    def detect(self, image: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32] | None]:
        assert self.user == get_ident()
        assert image.shape == (self.size[1], self.size[0], 3)
        assert image.flags.c_contiguous
        self.calls.append((self.size, image))
        self.user = None
        return 1, self.answer(image)

    @staticmethod
    def answer(image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """A face around every pure red pixel (BGR: the last channel), five pixels wide."""
        red = np.argwhere((image[..., 2] > 200) & (image[..., 0] < 50) & (image[..., 1] < 50))
        if not len(red):
            return None
        rows = [
            [x - 2, y - 2, 5, 6, x - 1, y - 1, x + 1, y - 1, x, y, x - 1, y + 1, x + 1, y + 1, 0.9]
            for y, x in red
        ]
        return np.array(rows, dtype=np.float32)


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YuNet:
    weights = tmp_path / "face_detection_yunet_2023mar.onnx"
    weights.write_bytes(b"weights")
    monkeypatch.setattr(yunet, "find_asset", lambda name: weights if name == "yunet" else None)
    monkeypatch.setattr(cv2, "FaceDetectorYN", type("Maker", (), {"create": staticmethod(Network)}))
    Network.made = []
    return YuNet()


def spotted(shape: tuple[int, int], *spots: tuple[int, int], size: int = 1) -> NDArray[np.uint8]:
    image = np.zeros((*shape, 3), dtype=np.uint8)
    for x, y in spots:
        image[y : y + size, x : x + size, 0] = 255
    return image


def test_colours_reach_the_network_as_bgr_and_points_come_back(detector: YuNet) -> None:
    (face,) = detector.find(spotted((100, 200), (50, 30)))
    assert face.box == (48, 28, 5, 6)
    assert face.score == pytest.approx(0.9)
    assert face.points is not None
    assert face.points.tolist() == [[49, 29], [51, 29], [50, 30], [49, 31], [51, 31]]
    (network,) = Network.made
    assert [size for size, _ in network.calls] == [(200, 100)]
    assert network.calls[0][1][30, 50].tolist() == [0, 0, 255]


def test_boxes_of_a_shrunk_picture_are_scaled_back(detector: YuNet) -> None:
    image = spotted((640, 2560), (1600, 320), size=4)  # one pixel at a quarter of the size
    (face,) = detector.find(image)
    assert Network.made[0].calls[0][0] == (640, 160)
    assert face.box == ((400 - 2) * 4, (80 - 2) * 4, 20, 24)
    assert face.points is not None
    assert face.points[2].tolist() == [1600, 320]


def test_what_is_not_found_is_looked_for_at_half_the_size(detector: YuNet) -> None:
    assert detector.find(spotted((1280, 1280))) == []
    assert [size for size, _ in Network.made[0].calls] == [(640, 640), (320, 320)]


def test_faces_come_in_the_order_of_their_place_and_none_from_outside(
    detector: YuNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = spotted((50, 50), (40, 10), (5, 30), (20, 10))
    assert [face.box[:2] for face in detector.find(image)] == [(18, 8), (38, 8), (3, 28)]
    outside = np.array([[60, 5, 5, 5, *[0] * 10, 0.9], [np.nan] * 15, [5, 5, -1, 5, *[0] * 10, 0.9]])
    monkeypatch.setattr(Network, "answer", staticmethod(lambda image: outside.astype(np.float32)))
    assert detector.find(image) == []


def test_no_network_is_used_by_two_threads_at_once(detector: YuNet) -> None:
    images = [spotted((60, 60), (x, 20)) for x in range(5, 55)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(detector.find, images))
    assert [faces[0].box[0] for faces in found] == [x - 2 for x in range(5, 55)]
    assert len(Network.made) <= 8


def test_absent_weights_are_one_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet, "find_asset", lambda name: None)
    with pytest.raises(UsageError, match=r"fairaudit fetch yunet.*--detector haar"):
        YuNet()


def test_broken_weights_are_told_before_any_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real OpenCV here."""
    weights = tmp_path / "broken.onnx"
    weights.write_bytes(b"no network")
    monkeypatch.setattr(yunet, "find_asset", lambda name: weights)
    with pytest.raises(ModelError, match=r"OpenCV cannot load .*broken\.onnx"):
        YuNet()


def test_weights_are_named_by_their_digest(detector: YuNet) -> None:
    fingerprint: dict[str, Any] = dict(detector.fingerprint())
    assert list(fingerprint) == ["face_detection_yunet_2023mar.onnx"]
    assert len(fingerprint["face_detection_yunet_2023mar.onnx"]) == 64
