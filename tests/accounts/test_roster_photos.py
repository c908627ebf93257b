"""Photos: a picture is drawn anew from its pixels; an archive is looked at within bounds, picture by picture."""

from __future__ import annotations

import io
import struct
import uuid
import zipfile
import zlib

import pytest
from PIL import Image

from accounts.checks import Rejected
from accounts.models import Photo, PhotoItem, PhotoVerdict
from accounts.pictures import BOX, portrait
from accounts.roster_files.sheets import Problem, Unreadable
from accounts.rosters import without_photo
from accounts.services import photos
from tests.accounts.conftest import NOW
from tests.accounts.roster import Office, person, xlsx


def picture(size=(480, 640), form="JPEG", colour="teal", mode="RGB", **more) -> bytes:
    kept = io.BytesIO()
    Image.new(mode, size, colour).save(kept, form, **more)
    return kept.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def claims(width: int, height: int) -> bytes:
    """A PNG of some bytes whose header claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


# ---------------------------------------------------------------------------------------------------- one picture


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_what_is_kept_is_a_plain_small_jpeg(form):
    found = opened(portrait(picture((1200, 1600), form)))

    assert (found.format, found.mode, found.size) == ("JPEG", "RGB", BOX)


def test_position_camera_and_whatever_hangs_behind_a_picture_are_gone():
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    gps = exif.get_ifd(0x8825)
    gps[1] = "N"
    data = picture(exif=exif, comment=b"at home") + b"PK\x03\x04 hidden archive"

    kept = portrait(data)

    assert not opened(kept).getexif()
    for word in (b"Secret", b"home", b"hidden"):
        assert word not in kept


def test_a_picture_taken_sideways_is_put_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = Image.new("RGB", (640, 480), "white")
    sideways.paste("black", (0, 0, 320, 480))
    kept = io.BytesIO()
    sideways.save(kept, "JPEG", exif=exif)

    upright = opened(portrait(kept.getvalue()))

    assert upright.getpixel((240, 100)) < (60, 60, 60)
    assert upright.getpixel((240, 540)) > (200, 200, 200)


def test_what_is_transparent_becomes_white():
    assert opened(portrait(picture(form="PNG", mode="RGBA", colour=(0, 0, 0, 0)))).getpixel((9, 9)) > (
        250,
        250,
        250,
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "照片是空的"),
        (b"<svg onload=alert(1)>", "不是 JPEG 或 PNG"),
        (b"<html><script>", "不是 JPEG 或 PNG"),
        (picture(form="GIF"), "不是 JPEG 或 PNG"),
        (picture(form="BMP"), "不是 JPEG 或 PNG"),
        (picture()[:400], "不完整"),
        (claims(20_000, 20_000), "照片尺寸太大|不是 JPEG 或 PNG"),
        (claims(65_000, 65_000), "照片尺寸太大|不是 JPEG 或 PNG"),
        (picture((149, 300)), "照片太小"),
        (picture((640, 480)), "照片是横的"),
        (bytes(8 * 1024 * 1024 + 1), "照片超过 8 MB"),
    ],
    ids=["empty", "svg", "html", "gif", "bmp", "cut", "bomb", "larger bomb", "small", "landscape", "9 MB"],
)
def test_what_is_no_portrait_is_refused_in_words(data, reason):
    with pytest.raises(Rejected, match=reason):
        portrait(data)


def test_the_smallest_portrait_is_taken():
    assert opened(portrait(picture((150, 200)))).size == (150, 200)


# ------------------------------------------------------------------------------------------------------ archives


@pytest.fixture
def office(world):
    made = Office(world.campus)
    made.take(xlsx(person(1), person(2), person(3)))
    return made


def archive(**files: bytes) -> io.BytesIO:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    kept.seek(0)
    return kept


def bring(office, source, name="照片.zip", key=None):
    upload = photos.take_in(key or uuid.uuid4(), name, source, officer=office.officer, by=office.by)
    while not photos.advance(upload.pk, now=NOW).over:
        pass
    upload.refresh_from_db()
    return upload


def outcome(upload) -> dict[str, str]:
    return {
        item.name: " ".join(str(Problem.from_json(kept)) for kept in item.problems) or item.verdict
        for item in upload.items.all()
    }


pytestmark = pytest.mark.django_db


def test_every_picture_stands_for_itself(office):
    """H01: a bad one is listed with its reason and keeps no other back."""
    upload = bring(office, archive(**{
        "a/20260000001.jpg": picture(), "20260000002.PNG": picture(form="PNG"), "20269999999.jpg": picture(),
        "20260000003.jpg": b"nonsense", "合影.jpg": picture(), "notes.txt": b"x", "__MACOSX/._20260000001.jpg": b"x",
    }))  # fmt: skip

    assert outcome(upload) == {
        "20260000001.jpg": "new",
        "20260000002.PNG": "new",
        "20260000003.jpg": "不是 JPEG 或 PNG 照片",
        "20269999999.jpg": "没有这个学工号",
        "notes.txt": "文件名应为学工号加 .jpg 或 .png",
        "合影.jpg": "文件名应为学工号加 .jpg 或 .png",
    }
    assert Photo.objects.count() == 2
    assert [holder.school_no for holder in without_photo(None)] == ["20260000003"]


def test_what_was_sent_is_forgotten_picture_by_picture(office):
    bring(office, archive(**{"20260000001.jpg": picture(), "20260000003.jpg": b"nonsense"}))

    assert not PhotoItem.objects.exclude(content=None).exists()


def test_the_same_pictures_again_change_nothing_and_a_new_one_replaces(office):
    bring(office, archive(**{"20260000001.jpg": picture()}))
    before = Photo.objects.values().get()

    assert outcome(bring(office, archive(**{"20260000001.jpg": picture()}))) == {"20260000001.jpg": "same"}
    assert Photo.objects.values().get() == before
    assert outcome(bring(office, archive(**{"20260000001.jpg": picture(colour="red")}))) == {
        "20260000001.jpg": "replaced"
    }
    assert Photo.objects.count() == 1


def test_two_pictures_of_one_number_are_both_refused(office):
    upload = bring(
        office, archive(**{"a/20260000001.jpg": picture(), "b/20260000001.png": picture(form="PNG")})
    )

    assert set(outcome(upload).values()) == {"同一学工号有 2 张照片"}


def test_the_same_key_is_one_archive(office):
    key = uuid.uuid4()
    first = bring(office, archive(**{"20260000001.jpg": picture()}), key=key)

    assert bring(office, archive(**{"20260000002.jpg": picture()}), key=key).pk == first.pk
    assert Photo.objects.count() == 1


def test_nobody_brings_his_own_picture(world):
    boss = Office(world.campus, "boss")
    boss.take(xlsx(person(1)))
    holder = without_photo(None).get()
    clerk = Office(world.campus, "clerk", holder=holder)

    assert outcome(bring(clerk, archive(**{"20260000001.jpg": picture()}))) == {
        "20260000001.jpg": "这是您本人，请由同事导入"
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (io.BytesIO(b""), "不是完整的 zip"),
        (io.BytesIO(b"PK\x03\x04" + bytes(50)), "不是完整的 zip"),
        (archive(), "没有照片"),
        (archive(**{f"{n:08d}.jpg": b"" for n in range(6_001)}), "最多 6000 张"),
    ],
    ids=["empty", "broken", "no pictures", "6,001"],
)
def test_an_archive_that_is_none_is_refused_and_leaves_nothing(office, source, reason):
    with pytest.raises(Unreadable) as refused:
        bring(office, source)

    assert reason in str(refused.value.problem)
    assert not PhotoItem.objects.exists()


def test_a_bomb_is_refused_by_its_directory(office, monkeypatch):
    monkeypatch.setattr(photos, "UNPACKED_MAX", 1000)

    with pytest.raises(Unreadable) as refused:
        bring(office, archive(**{"20260000001.jpg": bytes(1001)}))

    assert str(refused.value.problem) == "照片包解开后太大，没有打开"


def test_a_killed_slice_is_done_again_and_nothing_twice(office, monkeypatch):
    upload = photos.take_in(
        uuid.uuid4(), "a.zip", archive(**{f"2026000000{n}.jpg": picture() for n in (1, 2, 3)}),
        officer=office.officer, by=office.by,
    )  # fmt: skip
    monkeypatch.setattr(photos, "portrait", lambda data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        photos.advance(upload.pk, now=NOW)
    assert PhotoItem.objects.filter(verdict=PhotoVerdict.WAITING).count() == 3
    monkeypatch.undo()

    assert photos.advance(upload.pk, now=NOW).over
    assert photos.advance(upload.pk, now=NOW).over
    assert Photo.objects.count() == 3
