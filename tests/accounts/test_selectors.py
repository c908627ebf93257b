"""What screens read: the one status shown, masks, and an admin that shows and changes nothing it should not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.utils import translation

from accounts import models, selectors
from accounts.checks.identifiers import AccountNumber, SchoolNumber
from accounts.models import Account, AccountLife, Card, CardLife, Operator, OperatorRole, SecretKind
from accounts.services import passwords, standing
from accounts.status import FREEZE_WORDS, WORDS, Status, shown_status
from purse.rules import FreezeReason
from tests.accounts.conftest import BY, ID_NUMBER, NOW, SECRETS, WEB, undone

TODAY = date(2026, 11, 23)

SIGNS = {
    "closed": lambda account, card: setattr(account, "life", AccountLife.CLOSED),
    "replaced": lambda account, card: setattr(card, "life", CardLife.REPLACED),
    "returned": lambda account, card: setattr(card, "life", CardLife.RETURNED),
    "void": lambda account, card: setattr(card, "life", CardLife.VOID),
    "expired": lambda account, card: setattr(card, "expires_on", TODAY - timedelta(1)),
    "lost": lambda account, card: setattr(card, "lost", True),
    "frozen": lambda account, card: setattr(account, "frozen_reasons", ["late_upload"]),
    "damaged": lambda account, card: setattr(card, "life", CardLife.DAMAGED),
    "pending": lambda account, card: setattr(account, "life", AccountLife.PENDING),
    "closing": lambda account, card: setattr(account, "life", AccountLife.CLOSING),
}


def fresh():
    return Account(number=10086, life=AccountLife.OPEN, frozen_reasons=[]), Card(life=CardLife.ACTIVE)


@pytest.mark.parametrize("sign", SIGNS)
def test_each_sign_alone_is_the_status(sign):
    account, card = fresh()
    SIGNS[sign](account, card)

    assert shown_status(account, card, today=TODAY).status == sign


@pytest.mark.parametrize(
    ("signs", "first"),
    [
        (["frozen", "lost"], "lost"),
        (["lost", "expired"], "expired"),
        (["frozen", "damaged"], "frozen"),
        (["lost", "replaced"], "replaced"),
        (["frozen", "closed"], "closed"),
        (["damaged", "pending"], "damaged"),
    ],
)
def test_the_first_that_applies_is_shown(signs, first):
    """Requirements 3.1: CLOSED, REPLACED/RETURNED/VOID, EXPIRED, LOST, FROZEN, DAMAGED, PENDING, NORMAL."""
    account, card = fresh()
    for sign in signs:
        SIGNS[sign](account, card)

    assert shown_status(account, card, today=TODAY).status == first


@pytest.mark.parametrize(("days", "status"), [(-1, Status.EXPIRED), (0, Status.NORMAL), (1, Status.NORMAL)])
def test_a_card_is_good_on_its_last_day(days, status):
    account, card = fresh()
    card.expires_on = TODAY + timedelta(days)

    assert shown_status(account, card, today=TODAY).status is status


def test_a_freeze_says_its_reasons():
    account, card = fresh()
    account.frozen_reasons = ["book_negative", "late_upload"]

    shown = shown_status(account, card, today=TODAY)

    with translation.override("zh-hans"):
        assert str(shown.word) == "已冻结"
        assert str(shown.reasons[0]) == "库余额为负"
    assert len(shown.reasons) == 2


def test_every_status_and_every_freeze_reason_has_words():
    assert set(WORDS) == set(Status)
    assert set(FREEZE_WORDS) == set(FreezeReason)


def test_the_overview_holds_masked_facts_of_account_and_card(world):
    account = world.account(school_no="20230311086", id_number=ID_NUMBER)
    with undone():
        Account.objects.filter(pk=account.pk).update(book_fen=2_40, spent_on=TODAY, spent_fen=18_50)
        Card.objects.filter(account=account).update(
            load_total_fen=5_00, spend_total_fen=1_30, seen_place="师苑餐厅 07号机"
        )

        overview = selectors.account_overview(account.pk, today=TODAY)
        tomorrow = selectors.account_overview(account.pk, today=TODAY + timedelta(1))

    assert (overview.holder.name, overview.holder.school_no) == ("张*", "2023****086")
    assert (overview.book_fen, overview.card.card_fen) == (2_40, 3_70)
    assert (overview.spent_today_fen, tomorrow.spent_today_fen) == (18_50, 0)
    assert overview.shown.status is Status.NORMAL
    assert overview.default_passwords == set(SecretKind)
    assert ID_NUMBER[-7:] not in repr(overview)


def test_the_card_of_an_account_is_the_live_one_else_the_newest(world):
    account = world.account()
    first = Card.objects.get(account=account)
    Card.objects.filter(pk=first.pk).update(life=CardLife.REPLACED)
    only_ended = selectors.card_of(account.pk)
    second = world.card(account)

    assert only_ended == first
    assert selectors.card_of(account.pk) == second
    assert selectors.live_card_by_uid(second.uid) == second
    assert selectors.live_card_by_uid(first.uid) is None
    assert list(selectors.cards_by_uid(first.uid)) == [first]


def test_accounts_are_found_by_both_numbers(world):
    account = world.account(school_no="A2023001")

    assert selectors.find_account(AccountNumber(account.number)) == account
    assert selectors.find_account(SchoolNumber("A2023001")) == account
    assert selectors.find_account(SchoolNumber("A2023002")) is None


def test_the_last_logins_and_the_audit_can_be_read(world):
    account = world.account()
    passwords.verify_query(account.pk, "999998", source=WEB, now=NOW, secrets=SECRETS)
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=BY)

    assert [entry.succeeded for entry in selectors.last_logins(account.pk)] == [False]
    assert [event.action for event in selectors.audit_of("account", account.pk)] == [
        "account.freeze",
        "account.open",
    ]
    assert not selectors.loss_reports(account.pk)


ADMINS = {
    model: view for model, view in admin.site._registry.items() if model.__module__.startswith("accounts.")
}


ON_SCREENS = {
    *(
        "ClosingBatch",
        "ClosingItem",
        "IssueBatch",
        "IssueItem",
        "Roster",
        "RosterFile",
        "RosterMember",
        "RosterRow",
    ),
    *("CounterDeed", "ServiceGrant", "PadRequest", "Photo", "PhotoItem", "PhotoRun", "PhotoUpload"),
    *("FinderReport", "FoundCard", "FoundEvent", "LostPost", "Notice"),
    *("AlertChoice", "AlertContact", "AlertDelivery", "AlertScan"),
    *("PolicyChange", "PolicyWithdrawal", "JobRun"),
    *("Request", "RequestRuling", "RequestResult", "StaffSession", "AuditSeal"),
}
"""Tables with screens of their own at the counter or with the holder, which know what may be shown to whom."""


def test_the_admin_knows_every_table_of_the_room():
    tables = {name for name in models.__all__ if hasattr(getattr(models, name), "objects")}

    assert {model.__name__ for model in ADMINS} == tables - ON_SCREENS


@pytest.mark.parametrize("model", ADMINS, ids=lambda model: model.__name__)
def test_the_admin_only_looks_and_shows_no_secret(world, model):
    administrator = Operator.objects.create_superuser("root", "a long enough passphrase", campus=world.campus)
    request = RequestFactory().get("/")
    request.user = administrator
    view = ADMINS[model]

    fields = str(view.get_fields(request)).replace("must_change_password", "")
    assert not view.has_add_permission(request)
    assert not view.has_change_permission(request)
    assert not view.has_delete_permission(request)
    assert view.has_view_permission(request)
    assert not [
        secret
        for secret in ("pin_hash", "password", "id_number", "'name'", "'school_no'")
        if secret in fields
    ]


def test_an_operator_is_what_the_admin_and_the_one_time_codes_need(world):
    clerk = Operator.objects.create_user(
        "li.si", "a long enough passphrase", role=OperatorRole.CLERK, campus=world.campus
    )
    nobody = Operator.objects.create_user("bank.desk", role=OperatorRole.AUDITOR)

    assert clerk.check_password("a long enough passphrase")
    assert not nobody.has_usable_password()
    assert (clerk.is_active, clerk.is_staff, clerk.is_superuser) == (True, False, False)
    assert (clerk.get_full_name(), clerk.get_username()) == ("li.si", "li.si")
    assert not clerk.has_perm("accounts.view_holder")
