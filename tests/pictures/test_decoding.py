"""Pictures of any kind: read the same everywhere, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fairaudit.errors import ImageError
from fairaudit.pictures import open_pictures
from fairaudit.pictures.decoding import LONGEST, decode
from tests.pictures.kinds import encoded


def read_image(path: Path) -> np.ndarray:
    folder = open_pictures(str(path.parent))
    return decode(folder.read(path.name))


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


def test_a_picture_of_fractions_is_the_picture_of_8_bits(tmp_path: Path, picture: Image.Image) -> None:
    grey = np.asarray(picture.convert("L"))
    save(tmp_path / "a.tiff", Image.fromarray((grey / 255).astype(np.float32)))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tiff"), grey[..., None].repeat(3, -1))


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(16, dtype=np.int32),
        np.arange(16, dtype=np.int32) * 2**26,
        np.arange(16, dtype=np.float32),
        np.arange(16, dtype=np.float32) / 15 - 0.5,
        np.array([0.5] * 15 + [np.nan], dtype=np.float32),
        np.arange(16, dtype=np.uint16),
    ],
)
def test_grey_of_unknown_range_is_no_black_picture(tmp_path: Path, pixels: np.ndarray) -> None:
    """A picture of one colour would count as one that a safety filter had blocked."""
    save(tmp_path / "a.tiff", Image.fromarray(pixels.reshape(4, 4)))
    with pytest.raises(ImageError, match="unknown range"):
        read_image(tmp_path / "a.tiff")


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


@pytest.mark.parametrize("kind", ["EPS", "PPM", "PCX", "ICO", "TGA"])
def test_other_formats_are_never_handed_to_their_decoders(
    kind: str, tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ghostscript, which Pillow would start for EPS, is a program of its own."""
    path = tmp_path / "a.png"
    picture.save(path, format=kind)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("started Ghostscript"))
    with pytest.raises(ImageError, match=r"^not a readable image$"):
        read_image(path)


def test_a_colour_profile_changes_no_pixel(picture: Image.Image) -> None:
    """Neither where the profile is another than sRGB, nor where it is broken."""
    plain = decode(encoded(picture))
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), b"none"):
        assert np.array_equal(decode(encoded(picture, icc_profile=profile)), plain)


def test_the_pair_of_a_stereo_camera_is_read_as_its_first_picture(
    tmp_path: Path, picture: Image.Image
) -> None:
    path = tmp_path / "a.jpg"
    picture.save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", picture.size)])
    with Image.open(path) as image:
        assert image.format == "MPO"
    assert np.abs(read_image(path).astype(int) - np.asarray(picture)).mean() < 10


def test_a_decompression_bomb_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ImageError, match="too large"):
        read_image(path)


def test_large_pictures_are_made_smaller_and_stay_upright(tmp_path: Path) -> None:
    """A gradient keeps its shape and its ends, in colour, in 16 bits, and turned by the camera."""
    wide, high = 3 * LONGEST, LONGEST
    ramp = np.linspace(0, 255, wide).astype(np.uint8)[None].repeat(high, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, image in (
        ("grey.png", Image.fromarray(ramp)),
        ("deep.png", Image.fromarray(ramp.astype(np.uint16) << 8)),
        ("clear.png", Image.fromarray(np.stack([ramp] * 3 + [np.full_like(ramp, 255)], axis=-1))),
        ("turned.png", Image.fromarray(ramp)),
    ):
        image.save(tmp_path / name, **({"exif": exif} if name == "turned.png" else {}))
        found = read_image(tmp_path / name)
        assert max(found.shape) == LONGEST
        if name == "turned.png":
            found = found.swapaxes(0, 1)
        assert found.shape == (LONGEST // 3, LONGEST, 3)
        np.testing.assert_allclose(found[100, :, 0], np.linspace(0, 255, LONGEST), atol=2)
