"""Keys against published vectors, and what a smaller bundle must not be able to do."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purse.keys import (
    DESK,
    OFFLINE_TILL,
    ONLINE_TILL,
    KeyBundle,
    KeyMissing,
    Role,
    aes_cmac,
    an10922,
    diversify,
)

MASTER = bytes(range(32))
BUNDLE = KeyBundle.from_master(1, MASTER)
UID = bytes.fromhex("04A1B2C3")
NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
NIST_TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_aes_cmac_of_nist_sp_800_38b(length, mac):
    """SP 800-38B, appendix D.1, AES-128, examples 1 to 4."""
    assert aes_cmac(NIST_KEY, NIST_TEXT[:length]).hex() == mac


def test_diversification_of_nxp_an10922():
    """AN10922, section 2.2.1: AES-128 key diversification example."""
    master = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    given_input = bytes.fromhex("04782E21801D803042F54E585020416275")

    assert an10922(master, given_input).hex().upper() == "A8DD63A3B89D54B37CA802473FDA9175"


@pytest.mark.parametrize("length", [0, 15, 32])
def test_input_of_another_length_would_need_another_padding(length):
    with pytest.raises(ValueError, match="16 to 31"):
        an10922(MASTER[:16], bytes(length))


def test_every_card_sector_and_role_has_a_key_of_its_own():
    uids = [UID, bytes.fromhex("04A1B2C4"), bytes.fromhex("04A1B2C3D4E5F6")]

    keys = {
        BUNDLE.sector_key(uid, sector, role)
        for uid, sector, role in itertools.product(uids, range(1, 6), Role)
    }

    assert len(keys) == len(uids) * 5 * len(Role)
    assert all(len(key) == 6 for key in keys)
    assert KeyBundle.from_master(1, bytes(32)).sector_key(UID, 1, Role.READ) not in keys


@given(st.binary(min_size=4, max_size=4), st.sampled_from(list(Role)), st.integers(0, 15))
def test_a_four_byte_uid_never_gets_the_key_of_a_seven_byte_one(uid, role, sector):
    longer = uid + b"\1\2\3"

    assert diversify(MASTER[:16], uid, sector, role) != diversify(MASTER[:16], longer, sector, role)


def test_a_mac_is_bound_to_card_account_block_data_and_role():
    base = (UID, 10086, 8, b"d" * 12, Role.MAC_SPEND)
    others = [
        (UID[::-1], *base[1:]),
        (UID, 10087, *base[2:]),
        (*base[:2], 9, *base[3:]),
        (*base[:3], b"e" * 12, base[4]),
        (*base[:4], Role.MAC_LOAD),
    ]

    assert len({BUNDLE.mac(*what) for what in [base, *others]}) == 6
    assert BUNDLE.mac_matches(*base[:3], base[3] + BUNDLE.mac(*base), base[4])
    assert not BUNDLE.mac_matches(*base[:3], base[3] + bytes(4), base[4])


@pytest.mark.parametrize(
    ("roles", "lacks"),
    [
        (ONLINE_TILL, {Role.LOAD, Role.CENTER, Role.MAC_IDENT, Role.MAC_SPEND, Role.MAC_LOAD}),
        (OFFLINE_TILL, {Role.LOAD, Role.CENTER}),
        (DESK, {Role.MAC_IDENT, Role.MAC_SPEND, Role.MAC_LOAD}),
    ],
    ids=["online till", "offline till", "desk"],
)
def test_a_bundle_lacks_what_its_holder_must_not_do(roles, lacks):
    bundle = BUNDLE.only(roles)

    assert {role for role in Role if not bundle.holds(role)} == lacks
    for role in lacks:
        with pytest.raises(KeyMissing):
            bundle.sector_key(UID, 3, role)
        with pytest.raises(KeyMissing):
            bundle.mac(UID, 1, 8, bytes(12), role)


def test_a_lent_key_opens_one_sector_of_one_card():
    key = BUNDLE.sector_key(UID, 3, Role.LOAD)
    lent = BUNDLE.only(ONLINE_TILL).with_sector_key(UID, 3, Role.LOAD, key)

    assert lent.sector_key(UID, 3, Role.LOAD) == key
    assert lent.sector_key(UID, 2, Role.SPEND) == BUNDLE.sector_key(UID, 2, Role.SPEND)
    for uid, sector, role in [(UID[::-1], 3, Role.LOAD), (UID, 2, Role.LOAD), (UID, 3, Role.CENTER)]:
        with pytest.raises(KeyMissing):
            lent.sector_key(uid, sector, role)


def test_no_key_is_ever_shown():
    lent = BUNDLE.with_sector_key(UID, 3, Role.LOAD, b"secret")

    for bundle in (BUNDLE, lent):
        shown = f"{bundle!r} {bundle} {[bundle]}"
        assert "secret" not in shown
        assert not any(key.hex() in shown or repr(key) in shown for key in BUNDLE.keys.values())


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_master_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="32 bytes"):
        KeyBundle.from_master(1, bytes(length))


def test_a_bundle_survives_its_json():
    assert KeyBundle.from_json(BUNDLE.to_json()) == BUNDLE


@pytest.mark.parametrize(
    "data", [{}, {"version": "1", "keys": {}}, {"version": 1, "keys": []}, {"version": 1, "keys": {"x": ""}}]
)
def test_something_else_is_no_bundle(data):
    with pytest.raises(ValueError):
        KeyBundle.from_json(data)
