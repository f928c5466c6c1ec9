"""Pictures of any kind: read the same everywhere, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairaudit.errors import ImageError
from fairaudit.models.images import ImageFolder, read_image


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.fixture
def picture() -> Image.Image:
    rows, columns = np.mgrid[0:32, 0:48]
    return Image.fromarray(np.stack([rows * 6, columns * 4, rows + columns], axis=-1).astype(np.uint8))


def test_formats_without_loss_decode_to_the_same_pixels(tmp_path: Path, picture: Image.Image) -> None:
    expected = np.asarray(picture)
    for name in ("a.png", "a.bmp", "a.tiff"):
        np.testing.assert_array_equal(read_image(save(tmp_path / name, picture)), expected)
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.webp", picture, lossless=True)), expected)


def test_orientation_alpha_grey_and_deep_pictures(tmp_path: Path, picture: Image.Image) -> None:
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned: shown upright, the picture is taller than wide
    turned = read_image(save(tmp_path / "turned.png", picture, exif=exif))
    np.testing.assert_array_equal(turned, np.asarray(picture.rotate(-90, expand=True)))
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (read_image(save(tmp_path / "clear.png", clear)) == 255).all()
    deep = Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16))
    assert (read_image(save(tmp_path / "deep.png", deep)) == 0x80).all()
    grey = Image.new("L", (4, 4), 77)
    assert (read_image(save(tmp_path / "grey.jpg", grey)) == 77).all()
    cmyk = Image.new("CMYK", (4, 4), (0, 0, 0, 255))
    assert read_image(save(tmp_path / "cmyk.jpg", cmyk)).max() < 10


def test_the_first_frame_stands_for_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("black", "white")]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image(path).max() == 0


def test_what_is_no_picture_is_refused_with_a_reason(tmp_path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:-40])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("cut.png", "text.jpg", "empty.png", "absent.png"):
        with pytest.raises(ImageError):
            read_image(tmp_path / name)


def test_a_decompression_bomb_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ImageError, match="too large"):
        read_image(path)


def test_a_folder_is_read_in_order_and_names_what_it_skips(tmp_path: Path, picture: Image.Image) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "sub/a.JPG", "a.png"):
        picture.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    folder = ImageFolder(tmp_path)
    assert [path.as_posix() for path in folder.files] == ["a.png", "b.png", "sub/a.JPG"]
    assert folder.skipped == {"notes.txt": "not an image file"}
    before = folder.fingerprint()
    picture.resize((9, 9)).save(tmp_path / "b.png")
    assert ImageFolder(tmp_path).fingerprint() != before


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="holds no images"):
        ImageFolder(tmp_path)
