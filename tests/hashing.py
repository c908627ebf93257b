"""Passwords at the lowest cost that Argon2 has: a third of the suite's time went into making them expensive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from argon2 import PasswordHasher, Type
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import override_settings

from accounts import pinhash

_IN_TRUTH = pinhash._hasher, tuple(settings.PASSWORD_HASHERS)


class QuickHasher(Argon2PasswordHasher):
    """For the passwords of the staff: the same kind of text, stored after one pass over 8 KiB."""

    time_cost, memory_cost, parallelism = 1, 8, 1


@contextmanager
def quick() -> Iterator[None]:
    """Inside the block a password costs next to nothing, as the tests want it that are about something else."""
    pins = PasswordHasher(
        time_cost=1, memory_cost=8, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
    )  # fmt: skip
    with (
        mock.patch.object(pinhash, "_hasher", pins),
        override_settings(PASSWORD_HASHERS=[f"{__name__}.QuickHasher"]),
    ):
        yield


@contextmanager
def as_in_production() -> Iterator[None]:
    """Inside the block a password costs what the design says."""
    pins, hashers = _IN_TRUTH
    with mock.patch.object(pinhash, "_hasher", pins), override_settings(PASSWORD_HASHERS=list(hashers)):
        yield
