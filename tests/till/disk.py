"""A disk in memory under the till's SQLite, as a VFS: it can refuse any call, and lose power at any.

Every write, sync and truncation is kept in order. A power cut leaves of each file what was synced before, and of what
came later any part, in whole or torn sectors of 512 bytes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import random
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePath, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from terminals.device import store

SECTOR = 512
OK, NOTFOUND = 0, 12
READONLY, IOERR, CORRUPT, FULL = 8, 10, 11, 13
SHORT_READ = 522
FREE_MB = 500

_library = ctypes.CDLL(ctypes.util.find_library("sqlite3"))


class _File(Structure):
    _fields_ = [("methods", c_void_p), ("number", c_int64)]


_P = POINTER(_File)
_Close = CFUNCTYPE(c_int, _P)
_Read = _Write = CFUNCTYPE(c_int, _P, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, _P, c_int64)
_Flag = CFUNCTYPE(c_int, _P, c_int)
_Size = CFUNCTYPE(c_int, _P, POINTER(c_int64))
_Reserved = CFUNCTYPE(c_int, _P, POINTER(c_int))
_Control = CFUNCTYPE(c_int, _P, c_int, c_void_p)


class _Methods(Structure):
    _fields_ = [
        ("version", c_int),
        ("close", _Close),
        ("read", _Read),
        ("write", _Write),
        ("truncate", _Truncate),
        ("sync", _Flag),
        ("size", _Size),
        ("lock", _Flag),
        ("unlock", _Flag),
        ("reserved", _Reserved),
        ("control", _Control),
        ("sector", _Close),
        ("character", _Close),
    ]


_Open = CFUNCTYPE(c_int, c_void_p, c_char_p, _P, c_int, POINTER(c_int))
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Access = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, POINTER(c_int))
_FullPath = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int, c_void_p)
_Random = CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)
_Sleep = CFUNCTYPE(c_int, c_void_p, c_int)
_Time = CFUNCTYPE(c_int, c_void_p, POINTER(c_double))
_LastError = CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)


class _Vfs(Structure):
    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("path_length", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", _Open),
        ("delete", _Delete),
        ("access", _Access),
        ("full_path", _FullPath),
        ("unused", c_void_p * 4),
        ("random", _Random),
        ("sleep", _Sleep),
        ("time", _Time),
        ("last_error", _LastError),
    ]


@dataclass(frozen=True)
class Op:
    """One thing that happened, in order. ``name`` is empty for a mark that the test itself set."""

    kind: str
    name: str = ""
    at: int = 0
    data: bytes = b""
    mark: Any = None


@dataclass
class Disk:
    """What lies on the disk, what was done to it, and what it refuses."""

    files: dict[str, bytearray] = field(default_factory=dict)
    log: list[Op] = field(default_factory=list)
    before: dict[str, bytes] = field(default_factory=dict)
    """What lay there when the log began."""
    refuse: Callable[[str, str], int] = lambda kind, name: OK
    """Asked before each call of ``read``, ``write``, ``sync``, ``truncate``, ``open``: an SQLite error code, or OK."""

    def mark(self, what: Any) -> None:
        self.log.append(Op("mark", mark=what))

    def after_power_cut(self, at: int, rng: random.Random) -> Disk:
        """The disk as it may be found when the power went right after ``log[:at]``."""
        style = rng.randrange(4)
        found = {name: bytearray(content) for name, content in self.before.items()}
        synced = {op.name: place for place, op in enumerate(self.log[:at]) if op.kind == "sync"}
        for place, op in enumerate(self.log[:at]):
            if op.kind == "mark" or op.kind == "sync":
                continue
            if op.kind == "create":
                found.setdefault(op.name, bytearray())
            elif op.kind == "delete":
                found.pop(op.name, None)
            elif place < synced.get(op.name, -1):
                _apply(found[op.name], op)
            elif style:
                _apply_in_part(found[op.name], op, rng, style, last=place == at - 1)
        return Disk(found, before={name: bytes(content) for name, content in found.items()})


def _apply(content: bytearray, op: Op) -> None:
    if op.kind == "truncate":
        del content[op.at :]
        return
    if len(content) < op.at:
        content.extend(bytes(op.at - len(content)))
    content[op.at : op.at + len(op.data)] = op.data


def _apply_in_part(content: bytearray, op: Op, rng: random.Random, style: int, *, last: bool) -> None:
    """Style 1: all but the last op, which is torn. 2: sectors at random. 3: at random, some of them torn."""
    if op.kind == "truncate":
        if rng.random() < 0.5:
            _apply(content, op)
        return
    if style == 1 and not last:
        _apply(content, op)
        return
    for start in range(0, len(op.data), SECTOR):
        part = op.data[start : start + SECTOR]
        if rng.random() < 0.5:
            if rng.random() < (0.3 if style == 3 else 0.0):
                part = part[: rng.randrange(len(part) + 1)]
            _apply(content, Op("write", op.name, op.at + start, part))


class Place(PurePosixPath):
    """A path on a disk in memory: its directory is always there."""

    def mkdir(self, **how: Any) -> None:
        pass

    def exists(self) -> bool:
        return True


class _Vfses:
    """The one VFS of this process. Which disk is meant is told by the directory."""

    def __init__(self) -> None:
        self.disks: dict[str, Disk] = {}
        self._open: dict[int, tuple[Disk, str, bytearray]] = {}
        self._number = 0
        self._methods = _Methods(
            1, _Close(self._close), _Read(self._read), _Write(self._write), _Truncate(self._truncate),
            _Flag(self._sync), _Size(self._size), _Flag(lambda file, level: OK), _Flag(lambda file, level: OK),
            _Reserved(self._reserved), _Control(lambda file, op, data: NOTFOUND), _Close(lambda file: SECTOR),
            _Close(lambda file: 0),
        )  # fmt: skip
        self._vfs = _Vfs(
            1, ctypes.sizeof(_File), 512, None, b"memorydisk", None, _Open(self._open_file),
            _Delete(self._delete), _Access(self._access), _FullPath(self._full_path), (c_void_p * 4)(),
            _Random(self._random), _Sleep(lambda vfs, us: us), _Time(self._time),
            _LastError(lambda vfs, size, text: OK),
        )  # fmt: skip
        assert _library.sqlite3_vfs_register(ctypes.byref(self._vfs), 0) == OK
        # A connection that is let go at the very end of the process still comes through here.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def _disk(self, name: bytes) -> tuple[Disk, str]:
        folder, _, file = name.decode().rpartition("/")
        return self.disks.setdefault(folder, Disk()), file

    def _open_file(self, vfs, name, file, flags, out) -> int:
        self._number += 1
        disk, text = self._disk(name or f"/nowhere/temporary-{self._number}".encode())
        if code := disk.refuse("open", text):
            return code
        if text not in disk.files:
            disk.files[text] = bytearray()
            disk.log.append(Op("create", text))
        # As an inode: who has a file open keeps it, also when its name is gone.
        self._open[self._number] = (disk, text, disk.files[text])
        file.contents.methods = ctypes.addressof(self._methods)
        file.contents.number = self._number
        if out:
            out[0] = flags
        return OK

    def _close(self, file) -> int:
        self._open.pop(file.contents.number)
        return OK

    def _read(self, file, into, size, at) -> int:
        disk, name, content = self._open[file.contents.number]
        if code := disk.refuse("read", name):
            return code
        found = bytes(content[at : at + size])
        ctypes.memmove(into, found.ljust(size, b"\0"), size)
        return OK if len(found) == size else SHORT_READ

    def _write(self, file, data, size, at) -> int:
        return self._do(file, "write", at, ctypes.string_at(data, size))

    def _truncate(self, file, size) -> int:
        return self._do(file, "truncate", size)

    def _sync(self, file, flags) -> int:
        return self._do(file, "sync")

    def _do(self, file, kind: str, at: int = 0, data: bytes = b"") -> int:
        disk, name, content = self._open[file.contents.number]
        if code := disk.refuse(kind, name):
            return code
        op = Op(kind, name, at, data)
        if disk.files.get(name) is content:
            disk.log.append(op)
        if kind != "sync":
            _apply(content, op)
        return OK

    def _size(self, file, out) -> int:
        out[0] = len(self._open[file.contents.number][2])
        return OK

    def _reserved(self, file, out) -> int:
        out[0] = 0
        return OK

    def _delete(self, vfs, name, sync) -> int:
        disk, text = self._disk(name)
        disk.files.pop(text, None)
        disk.log.append(Op("delete", text))
        return OK

    def _access(self, vfs, name, flags, out) -> int:
        disk, text = self._disk(name)
        out[0] = int(text in disk.files)
        return OK

    def _full_path(self, vfs, name, size, out) -> int:
        ctypes.memmove(out, name + b"\0", len(name) + 1)
        return OK

    def _random(self, vfs, size, out) -> int:
        ctypes.memmove(out, random.randbytes(size), size)
        return size

    def _time(self, vfs, out) -> int:
        out[0] = 2461000.5
        return OK


_vfs: list[_Vfses] = []
_places = count(1)


def mount(disk: Disk, folder: str = "") -> Place:
    """Put a disk in; the journal's path on it. ``folder``: a directory that the test has already."""
    if not _vfs:
        _vfs.append(_Vfses())
    folder = folder or f"/memory/{next(_places)}"
    _vfs[0].disks[folder] = disk
    return Place(folder, "till.journal")


def take_out(place: PurePosixPath) -> None:
    """Forget the disk that was mounted there."""
    _vfs[0].disks.pop(str(place.parent), None)


def as_sqlite3() -> SimpleNamespace:
    """What ``terminals.device.store`` gets for its ``sqlite3``: the same, on disks in memory."""

    def connect(path, **how):
        return sqlite3.connect(f"file:{path}?vfs=memorydisk", uri=True, **how)

    return SimpleNamespace(**{**vars(sqlite3), "connect": connect})


def use_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every ``Store`` lies on a disk in memory with room enough."""
    if not _vfs:
        _vfs.append(_Vfses())
    monkeypatch.setattr(store, "sqlite3", as_sqlite3())
    monkeypatch.setattr(store.Store, "free_mb", lambda self: FREE_MB)


def disk_of(folder: PurePath) -> Disk:
    """The disk that stands for this directory."""
    return _vfs[0].disks.setdefault(str(folder), Disk())
