"""From notices to letters: who gets one, once; at least one attempt counted before each; pauses, night, giving up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.actors import AtCounter
from accounts.alerts import KEPT, after_the_night
from accounts.kinds import AlertGroup, AlertWay, DeliveryState, NoticeKind
from accounts.models import STANDING_DEEDS, Account, AlertDelivery, AuditEvent, Card, DocumentKind, Notice
from accounts.services import alertpost, alertqueue, standing
from accounts.services.alertpost import NotNow, Refused
from accounts.services.alerts import stop_letters
from accounts.services.audit import Deed, record
from accounts.services.notices import Message, tell
from accounts.services.rows import By
from purse.rules import FreezeReason
from tests.accounts.conftest import CLERK
from tests.alerts.world import A_MINUTE, DAYTIME, Bag, address, by, close, me, move, told, wish, work
from tests.campus import make_person

pytestmark = pytest.mark.django_db
LOW, SPEND = NoticeKind.LOW_BOOK, NoticeKind.LARGE_SPEND
NIGHT = DAYTIME.replace(hour=15, minute=30)
"""23:30 in Shanghai."""


@pytest.fixture
def account() -> Account:
    """Somebody who wants mail about large purchases."""
    made = make_person(200_00).account
    wish(made, spend_fen=50_00, letters=by(AlertGroup.SPEND))
    address(made)
    return made


def states() -> list[str]:
    return list(AlertDelivery.objects.order_by("id").values_list("state", flat=True))


def test_a_letter_goes_to_the_address_once(account):
    bag = Bag()
    move(account, -60_00)

    for _ in range(3):
        work(bag)

    [letter] = bag.letters
    assert letter.address == "zhang.san@example.com"
    assert [row.kind for row in letter.notices] == [SPEND]
    assert states() == ["sent"]


def test_what_is_due_together_goes_in_one_letter(account):
    bag = Bag()
    for _ in range(3):
        move(account, -60_00)

    work(bag)

    [letter] = bag.letters
    assert len(letter.notices) == 3
    assert states() == ["sent"] * 3


@pytest.mark.parametrize("case", ["not chosen", "no address", "another way only", "not confirmed"])
def test_who_did_not_ask_for_it_gets_no_letter(case):
    account, bag = make_person(200_00).account, Bag()
    wish(account, spend_fen=50_00, letters=by(AlertGroup.SPEND))
    if case == "not chosen":
        wish(account, letters=by(AlertGroup.LOW))
        address(account)
    elif case == "another way only":
        address(account, "13800001234", AlertWay.SMS)
    elif case == "not confirmed":
        contact = address(account)
        contact.__class__.objects.filter(pk=contact.pk).update(sealed=None, confirmed_at=None)
    move(account, -60_00)

    work(bag)

    assert bag.letters == []
    assert [kind for kind, _ in told(account)] == [SPEND]
    assert not AlertDelivery.objects.filter(notice__isnull=False).exists()


@pytest.mark.parametrize("how", ["switched off", "stopped by link", "address removed", "account closed"])
def test_what_is_not_wanted_any_more_is_not_sent(account, how):
    bag = Bag(shut=True)
    move(account, -60_00)
    work(bag)
    assert states() == ["waiting"]
    contact = account.alert_contacts.get()

    if how == "switched off":
        wish(account, letters={})
    elif how == "stopped by link":
        stop_letters(contact.uid, place="10.0.0.1", now=DAYTIME)
    elif how == "address removed":
        from accounts.services.alertcontacts import remove

        remove(account.pk, AlertWay.MAIL, actor=me(account), now=DAYTIME)
    else:
        close(account)
    bag.shut = False
    work(bag)

    assert bag.letters == []
    assert states() == ["dropped"]


def test_a_closed_account_gets_no_letter_about_anything(account):
    wish(account, letters=by(AlertGroup.CARE))
    close(account)
    tell(account.pk, Message(NoticeKind.CARD_KEPT, "found:1"), now=DAYTIME)

    work(Bag())

    assert states() == []


def test_disputes_and_found_cards_go_out_too():
    """The notices that were there before alerts were."""
    account, bag = make_person(1_00).account, Bag()
    wish(account, letters=by(AlertGroup.CARE))
    address(account)
    tell(account.pk, Message(NoticeKind.DISPUTE_SETTLED, "dispute:3", {"reference": "D1"}), now=DAYTIME)

    work(bag)

    assert [row.kind for letter in bag.letters for row in letter.notices] == [NoticeKind.DISPUTE_SETTLED]


@pytest.mark.parametrize(("age", "goes"), [(timedelta(hours=23), True), (timedelta(days=1), False)])
def test_old_news_stays_on_the_site(account, age, goes):
    wish(account, letters=by(AlertGroup.CARE))
    tell(account.pk, Message(NoticeKind.CARD_MOVED, "found:1"), now=DAYTIME - age)
    bag = Bag()

    work(bag)

    assert bool(bag.letters) is goes
    assert not Notice.objects.filter(passed_on_at__isnull=True).exists()


def test_an_attempt_that_fails_comes_again_after_its_pause_and_is_given_up_after_six(account):
    bag, moment = Bag(fails=[NotNow("SMTP 451")] * 99), DAYTIME
    wish(account, quiet=False)
    move(account, -60_00)
    alertqueue.tell_standing(now=moment)
    tries = []
    for _ in range(20 * 60):
        before = len(bag.fails)
        work(bag, now=moment)
        if len(bag.fails) < before:
            tries.append((moment - DAYTIME) // A_MINUTE)
        if states() == ["failed"]:
            break
        moment = AlertDelivery.objects.get().due_at

    assert tries == [0, 2, 12, 42, 162, 642]
    row = AlertDelivery.objects.get()
    assert (row.state, row.attempts, row.error) == ("failed", 6, "SMTP 451")
    assert alertqueue.undelivered(now=moment) == 1
    assert alertqueue.undelivered(now=moment + timedelta(days=1)) == 0


def test_before_its_pause_is_over_nothing_is_tried_again(account):
    bag = Bag(fails=[NotNow("SMTP 451")])
    move(account, -60_00)
    work(bag)

    work(bag, now=DAYTIME + timedelta(seconds=119))
    assert bag.letters == []

    work(bag, now=DAYTIME + timedelta(seconds=120))
    assert len(bag.letters) == 1


def test_an_address_that_does_not_exist_is_given_up_at_once(account):
    bag = Bag(fails=[Refused("SMTP 550")])
    move(account, -60_00)

    tally = work(bag)

    assert states() == ["failed"]
    assert tally.letters == {DeliveryState.FAILED: 1}


def test_a_mail_server_that_is_away_costs_nobody_an_attempt(account):
    bag = Bag(shut=True)
    move(account, -60_00)

    for _ in range(9):
        tally = work(bag)

    assert tally.unreachable == [AlertWay.MAIL]
    assert AlertDelivery.objects.get().attempts == 0
    bag.shut = False
    work(bag)
    assert states() == ["sent"]


def test_a_letter_that_dies_with_its_run_is_sent_again_under_the_same_name(account):
    """At least once: the attempt was committed, what became of it was not."""

    class Killed(BaseException):
        pass

    class Dying(Bag):
        def carry(self, letter):
            super().carry(letter)
            raise Killed

    bag = Dying()
    move(account, -60_00)
    with pytest.raises(Killed):
        work(bag)
    assert AlertDelivery.objects.get().attempts == 1

    again = Bag()
    work(again, now=DAYTIME + 2 * A_MINUTE)

    assert [letter.uid for letter in again.letters] == [letter.uid for letter in bag.letters]
    assert states() == ["sent"]


def test_one_notice_and_one_address_make_one_letter_in_the_database(account):
    move(account, -60_00)
    work(Bag())
    row = AlertDelivery.objects.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        AlertDelivery.objects.create(contact=row.contact, notice=row.notice, made_at=DAYTIME, due_at=DAYTIME)


@pytest.mark.parametrize(
    ("local", "sends"),
    [("22:59", True), ("23:00", False), ("03:00", False), ("06:59", False), ("07:00", True)],
)
@pytest.mark.parametrize("quiet", [True, False])
def test_at_night_what_can_wait_does(account, local, sends, quiet):
    from transactions.days import SHANGHAI

    hour, minute = map(int, local.split(":"))
    moment = DAYTIME.astimezone(SHANGHAI).replace(hour=hour, minute=minute) + timedelta(days=1)
    wish(account, quiet=quiet)
    bag = Bag()
    tell(account.pk, Message(NoticeKind.CARD_MOVED, "found:1"), now=moment)
    wish(account, letters=by(AlertGroup.CARE))

    work(bag, now=moment)

    assert bool(bag.letters) is (sends or not quiet)
    if not bag.letters:
        row = AlertDelivery.objects.get()
        assert (row.attempts, row.due_at) == (0, after_the_night(moment))
        assert f"{row.due_at.astimezone(SHANGHAI):%H:%M}" == "07:00"
        work(bag, now=row.due_at)
        assert len(bag.letters) == 1


def test_a_loss_report_is_told_at_night_as_well(account):
    wish(account, letters=by(AlertGroup.STANDING))
    bag = Bag()
    deed = Deed(
        "account.freeze", "account", account.pk, {"frozen_reasons": []}, {"frozen_reasons": ["by_hand"]}
    )
    record(deed, actor=CLERK, now=NIGHT)

    work(bag, now=NIGHT)

    assert [row.kind for letter in bag.letters for row in letter.notices] == [NoticeKind.FROZEN]


# --------------------------------------------------------------------------------- loss, freeze and their ends


def test_loss_and_unloss_are_told_to_everybody_with_the_door(account):
    """用例 H23: any loss/freeze/unfreeze; reliability.md A14: every report shown to the holder."""
    import uuid

    nobody = make_person(5_00)
    standing.report_lost(nobody.account.pk, key=uuid.uuid4(), actor=me(nobody.account), now=DAYTIME)
    door = AtCounter(CLERK, DocumentKind.RESIDENT, card_on_reader=True)
    standing.lift_loss(nobody.account.pk, door=door, now=DAYTIME + A_MINUTE)

    for _ in range(2):
        work(now=DAYTIME + 2 * A_MINUTE)

    assert [kind for kind, _ in told(nobody.account)] == [NoticeKind.CARD_LOST, NoticeKind.LOSS_LIFTED]
    facts = Notice.objects.filter(account=nobody.account).order_by("id").values_list("facts", "at")
    assert list(facts) == [({"channel": "web"}, DAYTIME), ({"channel": "counter"}, DAYTIME + A_MINUTE)]


def test_a_freeze_is_told_once_with_its_reason_and_a_second_reason_is_no_second_freeze(account):
    by_system = By(CLERK, DAYTIME, "test")
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=by_system)
    standing.freeze(account.pk, [FreezeReason.LATE_UPLOAD], by=by_system)
    Account.objects.filter(pk=account.pk).update(frozen_reasons=[FreezeReason.BY_HAND])
    Card.objects.filter(account=account).update(life="returned")
    door = AtCounter(CLERK, DocumentKind.RESIDENT)
    standing.unfreeze(account.pk, door=door, open_items_fen=0, now=DAYTIME, reason="ok")
    standing.freeze(account.pk, [FreezeReason.BY_HAND], by=by_system)

    work()

    kinds = [NoticeKind.FROZEN, NoticeKind.UNFROZEN, NoticeKind.FROZEN]
    assert [kind for kind, _ in told(account)] == kinds
    assert Notice.objects.filter(account=account).earliest("id").facts == {"reasons": ["by_hand"]}


def test_a_deed_that_commits_a_day_late_is_still_told(account):
    """The audit is looked through again: its numbers and times are no order of commits."""
    work(now=DAYTIME)
    work(now=DAYTIME + timedelta(hours=23))
    deed = Deed(
        "account.freeze", "account", account.pk, {"frozen_reasons": []}, {"frozen_reasons": ["by_hand"]}
    )
    record(deed, actor=CLERK, now=DAYTIME + A_MINUTE)

    work(now=DAYTIME + timedelta(hours=23, minutes=1))

    assert [kind for kind, _ in told(account)] == [NoticeKind.FROZEN]


def test_deeds_of_the_days_without_a_run_are_told(account):
    work(now=DAYTIME)
    deed = Deed(
        "account.freeze", "account", account.pk, {"frozen_reasons": []}, {"frozen_reasons": ["by_hand"]}
    )
    record(deed, actor=CLERK, now=DAYTIME + timedelta(days=1))

    work(now=DAYTIME + timedelta(days=9))

    assert [kind for kind, _ in told(account)] == [NoticeKind.FROZEN]


def test_the_audit_is_looked_through_by_the_index_made_for_it():
    """Its words and those of the statement are the same, or a generic plan could not use it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {alertqueue._STANDING}", [DAYTIME])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "audit_of_standing" in plan
    assert all(f"'{action}'" in alertqueue._STANDING for action in STANDING_DEEDS)


def test_the_outbox_forgets_after_ninety_days(account):
    move(account, -60_00)
    work(Bag())
    move(account, -60_00)
    work(Bag(shut=True))

    assert alertqueue.forget_sent(now=DAYTIME + KEPT) == 0
    assert alertqueue.forget_sent(now=DAYTIME + KEPT + A_MINUTE) == 1
    assert states() == ["waiting"]


def test_stopping_by_link_is_in_the_audit_and_harmless_twice(account):
    contact = account.alert_contacts.get()
    for _ in range(2):
        stop_letters(contact.uid, place="10.0.0.1", now=DAYTIME)

    event = AuditEvent.objects.get(action="alerts.stop")
    assert (event.before, event.after) == ({"mail": ["spend"]}, {"mail": []})


def test_a_letter_says_nothing_of_itself_in_a_traceback(account):
    bag = Bag()
    move(account, -60_00)
    work(bag)

    assert "example.com" not in repr(bag.letters[0])


def test_six_attempts_that_were_cut_off_are_the_end(account):
    move(account, -60_00)
    work(Bag(shut=True))
    AlertDelivery.objects.update(attempts=alertpost.ATTEMPTS)
    bag = Bag()

    work(bag)

    assert (states(), bag.letters) == (["failed"], [])
