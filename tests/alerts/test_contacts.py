"""Addresses: strict, sealed, confirmed by a code that is stored nowhere and can be guessed five times."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from accounts.alerts import CODE_HOLDS, contacts_of
from accounts.checks import Rejected
from accounts.checks.contacts import mask_mail, mask_phone, parse_mail, parse_phone
from accounts.kinds import AlertWay
from accounts.models import Account, AlertContact, AlertDelivery, AuditEvent
from accounts.services import alertcontacts
from accounts.services.alertcontacts import Answer, TooOften
from accounts.services.errors import NotAllowed
from accounts.wiring import secrets
from tests.alerts.world import A_MINUTE, DAYTIME, Bag, address, close, me, work
from tests.campus import make_person

MAIL, SMS = AlertWay.MAIL, AlertWay.SMS


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("zhang.san@example.com", "zhang.san@example.com"),
        ("a@b.cn", "a@b.cn"),
        ("O'Neil+card@Stu.OUC.edu.cn", "O'Neil+card@stu.ouc.edu.cn"),
        ("1" * 64 + "@example.com", "1" * 64 + "@example.com"),
    ],
)
def test_a_mail_address_is_taken(typed, kept):
    assert parse_mail(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "a",
            "@example.com",
            "a@",
            "a@b",
            "a@@b.cn",
            "a b@c.cn",
            "a@b..cn",
            "a@-b.cn",
            "a@b.cn.",
            ".a@b.cn",
        ),
        *("a.@b.cn", "a..b@c.cn", "a@1.2.3.4", "a@[1.2.3.4]", "<a@b.cn>", "a@b.cn, c@d.cn", "a@b.cn;c@d.cn"),
        *(
            "张三@example.com",
            "a@例子.cn",
            "ａ@b.cn",
            "a\u202e@b.cn",
            "a@b.cn ",
            " a@b.cn",
            "a@b.cn\n",
            '"a b"@c.cn',
        ),
        *(
            "a@b.cn\r\nBcc: all@example.com",
            "a\r\n@b.cn",
            "a@b.cn\x00",
            "a@b.cn%0d%0aBcc:c@d.cn",
            "1" * 65 + "@b.cn",
        ),
        "a@" + ".".join(["b" * 60] * 5),
    ],
)
def test_what_is_no_mail_address_is_refused(typed):
    with pytest.raises(Rejected) as refused:
        parse_mail(typed)
    assert "邮箱地址不正确" in refused.value.message


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "1380000123",
        "138000012345",
        "23800001234",
        "１３８００００１２３４",
        "13800001234\n",
        "+8613800001234",
    ],
)
def test_what_is_no_mobile_number_is_refused(typed):
    with pytest.raises(Rejected):
        parse_phone(typed)


def test_masks_show_enough_to_recognise_oneself():
    assert mask_mail("zhang.san@example.com") == "z***@example.com"
    assert mask_phone("13800001234") == "138****1234"


@pytest.fixture
def account(db) -> Account:
    return make_person(1_00).account


def ask(account, text="zhang.san@example.com", way=MAIL, *, now=DAYTIME, source="web:10.0.0.9") -> None:
    alertcontacts.ask(account.pk, way, text, source=source, actor=me(account), now=now, secrets=secrets())


def confirm(account, code, way=MAIL, *, now=DAYTIME) -> Answer:
    return alertcontacts.confirm(account.pk, way, code, actor=me(account), now=now, secrets=secrets())


def code_for(account, way=MAIL) -> str:
    return alertcontacts.code_of(AlertContact.objects.get(account=account, way=way), secrets())


def shown(account, way=MAIL, *, now=DAYTIME):
    return contacts_of(account.pk, now=now, secrets=secrets())[way]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_the_code_that_was_sent_puts_the_address_in_force(account):
    ask(account)
    assert (shown(account).address, shown(account).pending) == ("", "z***@example.com")
    bag = Bag()
    work(bag)

    assert confirm(account, bag.letters[0].code) is Answer.CONFIRMED

    assert bag.letters[0].address == "zhang.san@example.com"
    assert (shown(account).address, shown(account).pending) == ("z***@example.com", "")


def test_neither_address_nor_code_stands_in_the_database_or_the_audit(account):
    ask(account)
    code = code_for(account)
    confirm(account, code)

    row = AlertContact.objects.get()
    assert b"zhang" not in bytes(row.sealed)
    assert "zhang" not in str(list(AuditEvent.objects.values()))
    told = [event.after for event in AuditEvent.objects.filter(action__startswith="alerts.").order_by("id")]
    assert told == [{"way": "mail"}, {"way": "mail"}]
    assert code not in str(list(AlertDelivery.objects.values("error", "state")))


def test_the_former_address_stays_in_force_until_the_code_of_the_new_one_comes_back(account):
    address(account)
    ask(account, "new@example.org", now=DAYTIME + A_MINUTE)
    assert (shown(account).address, shown(account).pending) == ("z***@example.com", "n***@example.org")

    assert confirm(account, code_for(account), now=DAYTIME + A_MINUTE) is Answer.CONFIRMED

    assert (shown(account).address, shown(account).pending) == ("n***@example.org", "")


def test_a_sealed_address_does_not_open_on_another_account(account):
    from accounts.sealing import SealBroken

    stranger = make_person(1_00).account
    address(account)
    address(stranger, "other@example.com")
    sealed = AlertContact.objects.get(account=account).sealed
    AlertContact.objects.filter(account=stranger).update(sealed=sealed)

    with pytest.raises(SealBroken):
        shown(stranger)


def test_five_wrong_guesses_close_the_code_and_the_right_one_comes_too_late(account):
    ask(account)
    code = code_for(account)

    answers = [confirm(account, other_than(code)) for _ in range(5)]

    assert answers == [Answer.WRONG] * 5
    assert confirm(account, code) is Answer.OVER
    assert shown(account).address == ""


def test_the_fifth_guess_may_be_the_right_one(account):
    ask(account)
    for _ in range(4):
        confirm(account, other_than(code_for(account)))

    assert confirm(account, code_for(account)) is Answer.CONFIRMED


@pytest.mark.parametrize(
    ("age", "answer"), [(CODE_HOLDS - timedelta(seconds=1), Answer.CONFIRMED), (CODE_HOLDS, Answer.OVER)]
)
def test_a_code_holds_for_half_an_hour(account, age, answer):
    ask(account)

    assert confirm(account, code_for(account), now=DAYTIME + age) is answer
    assert shown(account, now=DAYTIME + age).pending == ""


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "١٢٣٤٥٦", "\ud800", "0" * 500])
def test_nonsense_is_a_wrong_guess(account, typed):
    ask(account)

    assert confirm(account, typed) is Answer.WRONG


def test_without_a_code_there_is_nothing_to_guess(account):
    assert confirm(account, "000000") is Answer.OVER


def test_a_code_is_used_once(account):
    ask(account)
    code = code_for(account)
    confirm(account, code)

    assert confirm(account, code) is Answer.OVER
    assert shown(account).address == "z***@example.com"


def test_the_code_before_does_not_open_the_address_after(account):
    ask(account)
    former = code_for(account)
    ask(account, "new@example.org", now=DAYTIME + A_MINUTE)

    assert former != code_for(account)
    assert confirm(account, former, now=DAYTIME + A_MINUTE) is Answer.WRONG


def test_only_the_last_code_is_sent(account):
    ask(account)
    ask(account, "new@example.org", now=DAYTIME + A_MINUTE)
    bag = Bag()

    work(bag, now=DAYTIME + A_MINUTE)

    assert [letter.address for letter in bag.letters] == ["new@example.org"]
    states = AlertDelivery.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["dropped", "sent"]


def test_a_second_click_sends_no_second_code(account):
    ask(account)
    ask(account, now=DAYTIME + timedelta(seconds=59))
    assert AlertDelivery.objects.count() == 1

    ask(account, now=DAYTIME + A_MINUTE)
    assert AlertDelivery.objects.count() == 2


def test_five_codes_a_day_and_then_the_address_in_force_stays(account):
    """Else anybody's mailbox could be filled from here, and a code guessed by asking for many."""
    address(account)
    for number in range(1, 5):
        ask(account, f"a{number}@example.com", now=DAYTIME + number * A_MINUTE)

    with pytest.raises(TooOften):
        ask(account, "a5@example.com", now=DAYTIME + 5 * A_MINUTE)

    assert shown(account).address == "z***@example.com"
    assert shown(account, now=DAYTIME + 5 * A_MINUTE).pending == "a***@example.com"
    ask(account, "a6@example.com", now=DAYTIME + timedelta(days=2))


def test_one_source_asks_for_twenty_codes_an_hour(db):
    people = [make_person(0).account for _ in range(5)]
    for account in people[:4]:
        for number in range(5):
            ask(account, f"a{number}@example.com", now=DAYTIME + number * A_MINUTE)

    with pytest.raises(TooOften):
        ask(people[4], now=DAYTIME + 6 * A_MINUTE)
    ask(people[4], now=DAYTIME + 6 * A_MINUTE, source="web:10.0.0.10")


def test_removing_forgets_the_address(account):
    address(account)
    ask(account, "new@example.org", now=DAYTIME + A_MINUTE)

    for _ in range(2):
        alertcontacts.remove(account.pk, MAIL, actor=me(account), now=DAYTIME)

    row = AlertContact.objects.get()
    assert (row.sealed, row.pending) == (None, None)
    assert AuditEvent.objects.filter(action="alerts.remove_address").count() == 1


def test_what_nobody_confirmed_is_forgotten_after_a_day(account):
    ask(account)

    assert alertcontacts.forget(now=DAYTIME + timedelta(days=1)) == 0
    assert alertcontacts.forget(now=DAYTIME + timedelta(days=1, seconds=1)) == 1
    assert AlertContact.objects.get().pending is None


def test_a_closed_account_has_no_address(account):
    address(account)
    close(account)

    assert alertcontacts.forget(now=DAYTIME) == 1
    assert AlertContact.objects.get().sealed is None
    with pytest.raises(NotAllowed):
        ask(account, now=DAYTIME + A_MINUTE)


def test_mail_and_sms_are_two_addresses(account):
    address(account)
    address(account, "13800001234", SMS)

    assert shown(account).address == "z***@example.com"
    assert shown(account, SMS).address == "138****1234"


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_guesses_gets_five_comparisons():
    account = make_person(0).account
    ask(account)
    wrong, answers = other_than(code_for(account)), []
    start = threading.Barrier(16)

    def guess():
        try:
            start.wait(20)
            answers.append(confirm(account, wrong))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=guess) for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(answers) == sorted([Answer.WRONG] * 5 + [Answer.OVER] * 11)
