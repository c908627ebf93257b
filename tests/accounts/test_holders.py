"""Registering people: sealed numbers, the blind index, no person twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import selectors
from accounts.checks import Rejected
from accounts.keys import Secrets, UnknownKey
from accounts.models import AuditEvent, DocumentKind, Holder
from accounts.sealing import Place, SealBroken, seal, sealed_with, unseal
from accounts.services import accounts, holders
from tests import faults
from tests.accounts.conftest import BY, CLERK, ID_NUMBER, NOW, SECRETS

PLACE = Place("accounts_holder", "id_number", "row-1")


def test_a_sealed_number_opens_in_its_own_place_only():
    sealed = seal(ID_NUMBER, PLACE, SECRETS)

    assert unseal(sealed, PLACE, SECRETS) == ID_NUMBER
    for other in [
        Place("accounts_holder", "id_number", "row-2"),
        Place("accounts_holder", "bank_card", "row-1"),
        Place("banking_binding", "id_number", "row-1"),
    ]:
        with pytest.raises(SealBroken):
            unseal(sealed, other, SECRETS)


def test_the_same_number_never_seals_to_the_same_bytes():
    assert len({seal(ID_NUMBER, PLACE, SECRETS) for _ in range(50)}) == 50


def test_every_changed_bit_and_every_cut_is_noticed():
    sealed = seal(ID_NUMBER, PLACE, SECRETS)
    changed = [
        sealed[:i] + bytes([sealed[i] ^ 1 << bit]) + sealed[i + 1 :]
        for i in range(len(sealed))
        for bit in range(8)
    ]
    cut = [sealed[:length] for length in range(len(sealed))]

    opened = 0
    for wrong in changed + cut:
        try:
            unseal(wrong, PLACE, SECRETS)
            opened += 1
        except (SealBroken, UnknownKey):
            continue

    faults.report("SEAL", len(changed) + len(cut), opened)
    assert opened == 0


def test_a_number_moved_to_another_row_is_noticed(world):
    one, two = world.person(), world.person()
    Holder.objects.filter(pk=two.pk).update(id_number_sealed=one.id_number_sealed)
    two.refresh_from_db()

    with pytest.raises(SealBroken):
        holders.id_number_of(two, SECRETS)


def test_the_table_does_not_hold_the_number(world):
    holder = world.person(id_number=ID_NUMBER)

    stored = bytes(holder.id_number_sealed) + bytes(holder.id_number_index)
    assert ID_NUMBER.encode() not in stored
    assert holders.id_number_of(holder, SECRETS) == ID_NUMBER
    assert selectors.masked_id_number(holder, SECRETS) == "3702**************"
    assert selectors.find_holder_by_id_number(ID_NUMBER, SECRETS) == holder
    assert selectors.find_holder_by_id_number("11010519491231002X", SECRETS) is None


@pytest.mark.parametrize("same", ["school_no", "id_number"])
def test_a_person_is_registered_once_and_the_refusal_does_not_say_whose(world, same):
    """Item 42: 已存在, without showing whose."""
    values = {"school_no": "2020000001", "id_number": ID_NUMBER}
    world.person(**values)

    with pytest.raises(holders.AlreadyRegistered) as refusal:
        world.person(**{same: values[same]})

    assert str(refusal.value) == ""
    assert str(refusal.value.message) == "该人员已存在"
    assert Holder.objects.count() == 1


def test_a_holder_without_document_has_no_number(world):
    holder = world.person(document_kind=DocumentKind.NONE, id_number="")

    assert holders.id_number_of(holder, SECRETS) is None
    assert selectors.masked_id_number(holder, SECRETS) == ""


def test_reading_the_whole_number_needs_a_reason_and_is_in_the_audit(world):
    """P6: reading an unmasked ID number writes an access record with reason."""
    holder = world.person(id_number=ID_NUMBER)

    with pytest.raises(Rejected, match="原因"):
        holders.read_id_number(holder, reason=" ", actor=CLERK, now=NOW, secrets=SECRETS)
    shown = holders.read_id_number(holder, reason="核对证件", actor=CLERK, now=NOW, secrets=SECRETS)

    event = AuditEvent.objects.get(action="holder.read_id_number")
    assert shown == ID_NUMBER
    assert (event.object_id, event.reason, event.actor) == (str(holder.uid), "核对证件", CLERK.who)
    assert ID_NUMBER not in f"{event.before}{event.after}"


def test_a_new_field_key_opens_old_numbers_and_reseals_them_once(world):
    holder = world.person(id_number=ID_NUMBER)
    rotated = Secrets(SECRETS.peppers, {8: b"f8" * 16, **SECRETS.field_keys}, SECRETS.index_key)

    assert holders.id_number_of(holder, rotated) == ID_NUMBER
    assert [holders.reseal(holder.pk, rotated) for _ in range(2)] == [True, False]

    holder.refresh_from_db()
    assert sealed_with(bytes(holder.id_number_sealed)) == 8
    only_new = Secrets(SECRETS.peppers, {8: b"f8" * 16}, SECRETS.index_key)
    assert holders.id_number_of(holder, only_new) == ID_NUMBER


def test_a_lost_field_key_is_a_fault_and_not_an_empty_number(world):
    holder = world.person()
    lost = Secrets(SECRETS.peppers, {9: b"f9" * 16}, SECRETS.index_key)

    with pytest.raises(UnknownKey):
        holders.id_number_of(holder, lost)


def test_keys_do_not_show_themselves():
    assert repr(SECRETS) == "Secrets(…)"
    assert "p2" not in str(SECRETS)


@pytest.mark.parametrize(("days", "erased"), [(365, True), (364, False)])
def test_a_year_after_closing_only_the_opaque_uid_of_a_person_stays(world, days, erased):
    """Retention: personal data erased 1 year after account closure with zero balance (uid stays)."""
    account = world.account(card=False, school_no="2020000001", id_number=ID_NUMBER)
    accounts.begin_closing(account.pk, by=BY)
    accounts.close(account.pk, by=BY)

    done = holders.erase(account.holder_id, actor=CLERK, now=NOW + timedelta(days=days))

    holder = Holder.objects.get(pk=account.holder_id)
    assert done is erased
    assert (holder.name == "", holder.id_number_sealed is None, holder.school_no != "2020000001") == (
        erased,
    ) * 3
    assert holder.uid == account.holder.uid


def test_the_data_of_somebody_with_an_account_in_use_is_not_erased(world):
    account = world.account()

    assert not holders.erase(account.holder_id, actor=CLERK, now=NOW + timedelta(days=9999))
    assert Holder.objects.get(pk=account.holder_id).name == "张三丰"
