"""Pictures of holders: an archive named by school number is unpacked once, then drawn anew slice by slice.

Every picture stands for itself: a bad one is listed with its reason and does not keep the others back. What was sent is
forgotten picture by picture.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import IO
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.checks import Rejected
from accounts.models import Holder, Operator, Photo, PhotoItem, PhotoUpload, PhotoVerdict
from accounts.pictures import MAX_BYTES, portrait
from accounts.roster_files.sheets import Problem, Unreadable
from accounts.services import audit
from accounts.services.operators import Officer
from accounts.services.roster import KEPT, NotThere, shown_name
from accounts.services.rows import By

ARCHIVE_MAX = 100 * 1024 * 1024
PICTURES_MAX = 6_000
UNPACKED_MAX = 400 * 1024 * 1024
SLICE = 25
_AT_ONCE = 50
_NAME = re.compile(r"\A([0-9A-Za-z]{4,20})\.(?:jpe?g|png)\Z", re.IGNORECASE)
_NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class PhotoProgress:
    """How far an archive is."""

    position: int
    total: int

    @property
    def over(self) -> bool:
        """Whether every picture was looked at."""
        return self.position >= self.total


def take_in(key: UUID, name: str, archive: IO[bytes], *, officer: Officer, by: By) -> PhotoUpload:
    """Unpack an archive of pictures and keep them until they are looked at. The same key is the same archive.

    Bounds are checked from the archive's directory before anything is unpacked, and again while unpacking, because a
    directory may lie. Raises ``Unreadable``; nothing was kept then.
    """
    known = PhotoUpload.objects.filter(pk=key).first()
    if known is not None:
        return known
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _members(opened)
            with transaction.atomic():
                return _keep(PhotoUpload(
                    id=key, name=shown_name(name), campus_id=officer.campus_id, total=len(members),
                    uploaded_by_id=officer.id, uploaded_at=by.now,
                ), opened, members, by)  # fmt: skip
    except IntegrityError:
        return PhotoUpload.objects.get(pk=key)
    except (
        # All that the reader of archives may say of a broken file, unknown compression and passwords among it.
        zipfile.BadZipFile,
        zlib.error,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
    ):
        raise Unreadable(_("照片包打不开：不是完整的 zip 文件")) from None


def advance(upload_id: UUID, *, now: datetime) -> PhotoProgress:
    """Look at the next pictures; ask again until ``over``. Raises ``NotThere``."""
    with transaction.atomic():
        upload = (
            PhotoUpload.objects.select_for_update(skip_locked=True)
            .filter(pk=upload_id, ended_at=None)
            .first()
        )
        if upload is not None:
            _slice(upload, now)
    found = PhotoUpload.objects.filter(pk=upload_id).values_list("position", "total").first()
    if found is None:
        raise NotThere
    return PhotoProgress(*found)


def forget_old(*, now: datetime) -> int:
    """Delete pictures that nobody looked at for a week, and the list of an archive with them."""
    deleted, _kinds = PhotoItem.objects.filter(upload__uploaded_at__lt=now - KEPT).delete()
    return deleted


# ------------------------------------------------------------------------------------------------------ inside


def _members(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files of the archive that may be pictures, by name; a path inside it is only looked at for its end."""
    members = [
        member
        for member in opened.infolist()
        if not member.is_dir() and not any(noise in member.filename for noise in _NOISE)
    ]
    if not members:
        raise Unreadable(_("照片包里没有照片"))
    if len(members) > PICTURES_MAX:
        raise Unreadable(_("一个照片包最多 %(limit)s 张，请分成几个"), limit=PICTURES_MAX)
    if sum(member.file_size for member in members) > UNPACKED_MAX:
        raise Unreadable(_("照片包解开后太大，没有打开"))
    if any(member.flag_bits & 1 for member in members):
        raise Unreadable(_("照片包设了密码，请去掉密码"))
    return sorted(members, key=lambda member: member.filename)


def _keep(
    upload: PhotoUpload, opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], by: By
) -> PhotoUpload:
    upload.save(force_insert=True)
    batch: list[PhotoItem] = []
    for item in _items(upload, opened, members):
        batch.append(item)
        if len(batch) == _AT_ONCE:
            PhotoItem.objects.bulk_create(batch)
            batch.clear()
    PhotoItem.objects.bulk_create(batch)
    deed = audit.Deed("photos.upload", "photos", upload.pk, after={"pictures": upload.total})
    audit.record(deed, actor=by.actor, now=by.now)
    return upload


def _items(
    upload: PhotoUpload, opened: zipfile.ZipFile, members: list[zipfile.ZipInfo]
) -> Iterator[PhotoItem]:
    """Each file of the archive with what it holds, or with why it is no picture of anybody."""
    numbers = Counter(_number(member) for member in members)
    for place, member in enumerate(members, start=1):
        item = PhotoItem(upload=upload, place=place, name=shown_name(member.filename))
        problem = _problem(member, numbers)
        if problem is None:
            with opened.open(member) as source:
                item.content = source.read(MAX_BYTES + 1)
            problem = Problem.of(_("照片是空的")) if not item.content else None
        if problem is not None:
            item.content, item.verdict, item.problems = None, PhotoVerdict.REJECTED, [problem.to_json()]
        yield item


def _number(member: zipfile.ZipInfo) -> str:
    found = _NAME.match(member.filename.replace("\\", "/").rpartition("/")[2])
    return found[1].upper() if found else ""


def _problem(member: zipfile.ZipInfo, numbers: Counter[str]) -> Problem | None:
    number = _number(member)
    if not number:
        return Problem.of(_("文件名应为学工号加 .jpg 或 .png"))
    if numbers[number] > 1:
        return Problem.of(_("同一学工号有 %(count)s 张照片"), count=numbers[number])
    if member.file_size > MAX_BYTES:
        return Problem.of(_("照片超过 %(limit)s MB"), limit=MAX_BYTES // 1024 // 1024)
    return None


def _slice(upload: PhotoUpload, now: datetime) -> None:
    items = list(upload.items.filter(place__gt=upload.position).order_by("place")[:SLICE])
    waiting = [item for item in items if item.verdict == PhotoVerdict.WAITING]
    holders = {
        holder.school_no: holder
        for holder in Holder.objects.filter(school_no__in=[_stem(item) for item in waiting]).defer(
            "id_number_sealed"
        )
    }
    photos = Photo.objects.filter(holder__in=holders.values()).values_list("holder_id", "source_digest")
    digests = {holder_id: bytes(digest) for holder_id, digest in photos}
    own = Operator.objects.values_list("holder_id", flat=True).get(pk=upload.uploaded_by_id)
    for item in waiting:
        _look(item, holders.get(_stem(item)), digests, own, upload, now)
    PhotoItem.objects.bulk_update(waiting, ["content", "verdict", "holder", "problems"])
    upload.position = min(upload.total, upload.position + SLICE)
    if upload.position == upload.total:
        upload.ended_at = now
    upload.save(update_fields=["position", "ended_at"])


def _look(
    item: PhotoItem,
    holder: Holder | None,
    digests: dict[int, bytes],
    own: int | None,
    upload: PhotoUpload,
    now: datetime,
) -> None:
    """Decide about one picture, keep it if it is good, and forget what was sent."""
    data, item.content = bytes(item.content or b""), None
    digest = sha256(data).digest()
    try:
        if holder is None:
            raise Rejected(_("没有这个学工号"))
        if holder.pk == own:
            raise Rejected(_("这是您本人，请由同事导入"))
        item.holder = holder
        if digests.get(holder.pk) == digest:
            item.verdict = PhotoVerdict.SAME
            return
        image = portrait(data)
    except Rejected as rejected:
        item.verdict, item.problems = PhotoVerdict.REJECTED, [Problem.from_rejected(rejected).to_json()]
        return
    item.verdict = PhotoVerdict.REPLACED if holder.pk in digests else PhotoVerdict.NEW
    kept = {
        "image": image,
        "source_digest": digest,
        "taken_in_at": now,
        "taken_in_by_id": upload.uploaded_by_id,
    }
    Photo.objects.update_or_create(holder=holder, defaults=kept)


def _stem(item: PhotoItem) -> str:
    return item.name.rpartition(".")[0].upper()
