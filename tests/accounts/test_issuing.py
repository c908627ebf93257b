"""From a person to a card in his hand: eligible, opened, made, looked at, handed over (guide L17-19; R003 to R007)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta

import pytest

from accounts.actors import AtCounter, WrongDoor
from accounts.making import Step, making_of, nearly_worn, unused_named
from accounts.models import (
    AccountLife,
    AuditEvent,
    Card,
    CardLife,
    CounterDeed,
    DocumentKind,
    Holder,
    HolderKind,
    RosterFile,
    RosterMember,
    SecretKind,
    ServiceKind,
)
from accounts.papers import PaperKind, SeenPaper
from accounts.services import cards, deeds, issuing, passwords
from accounts.services.errors import NotAllowed
from accounts.services.holders import AlreadyRegistered
from accounts.services.issuing import Applicant, NewAccount
from purse.policy import Policy
from tests.accounts.conftest import BY, CLERK, ID_NUMBER, NOW, SECRETS

TODAY = NOW.date()
SOON = TODAY + timedelta(days=180)
HERE = AtCounter(CLERK, DocumentKind.NONE, card_on_reader=True)
AWAY = AtCounter(CLERK, DocumentKind.NONE)


def door(paper: PaperKind = PaperKind.RESIDENT, own: int | None = None) -> AtCounter:
    return AtCounter(CLERK, paper, own_holder_id=own, document_note="agrees")


def visitor(world, **changes) -> NewAccount:
    person = Applicant(
        "V000001", "李访客", HolderKind.OTHER, document_kind=DocumentKind.RESIDENT, id_number=ID_NUMBER
    )
    new = NewAccount(uuid.uuid4(), person, ServiceKind.NAMED, world.campus.pk, SOON)
    who = {
        name: changes.pop(name)
        for name in ("school_no", "name", "id_number", "document_kind")
        if name in changes
    }
    if "person" in changes:
        who["kind"] = changes.pop("person")
    return replace(new, person=replace(person, **who), **changes)


def open_it(new: NewAccount, paper: PaperKind = PaperKind.RESIDENT, own: int | None = None) -> CounterDeed:
    return issuing.open_with_card(new, door=door(paper, own), now=NOW, policy=Policy(), secrets=SECRETS)


def counted() -> tuple[int, ...]:
    return tuple(table.objects.count() for table in (Holder, Card, AuditEvent, CounterDeed))


def why_not(act, *args, **kwargs) -> str:
    before = (
        Holder.objects.count(),
        Card.objects.count(),
        AuditEvent.objects.count(),
        CounterDeed.objects.count(),
    )
    with pytest.raises(NotAllowed) as caught:
        act(*args, **kwargs)
    assert (
        Holder.objects.count(),
        Card.objects.count(),
        AuditEvent.objects.count(),
        CounterDeed.objects.count(),
    ) == before
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------- eligibility


@pytest.mark.parametrize("paper", PaperKind, ids=str)
@pytest.mark.parametrize("person", HolderKind, ids=str)
@pytest.mark.parametrize("kind", ServiceKind, ids=str)
def test_who_may_have_which_card_on_which_document(kind, person, paper):
    """指南 L19: staff by work permit or HR letter, students by student card or own ID; others have a named card."""
    identity = {"resident", "permanent", "permit", "passport"}
    wanted = {
        ("formal", "staff"): {"work_permit", "hr_letter"},
        ("formal", "student"): {"student_card"} | identity,
        ("formal", "other"): set(),
    }.get((kind.value, person.value), identity)
    if paper.value in wanted:
        issuing.refuse_eligibility(kind, person, paper)
    else:
        why = why_not_pure(kind, person, paper)
        assert why == ("not_eligible" if not wanted else "wrong_document")


def why_not_pure(kind, person, paper) -> str:
    with pytest.raises(NotAllowed) as caught:
        issuing.refuse_eligibility(kind, person, paper)
    return str(caught.value)


def test_a_formal_card_for_a_student_needs_the_roster(world):
    """R004: nobody becomes a registered student by what a desk types."""
    new = visitor(world, person=HolderKind.STUDENT, kind=ServiceKind.FORMAL, expires_on=None)

    assert why_not(open_it, new, PaperKind.STUDENT_CARD) == "not_on_roster"


def test_a_late_joiner_of_the_staff_is_registered_on_his_work_permit(world):
    new = visitor(world, person=HolderKind.STAFF, kind=ServiceKind.FORMAL, expires_on=None, school_no="T1001")

    deed = open_it(new, PaperKind.WORK_PERMIT)

    assert (deed.account.kind, deed.account.life) == ("formal", AccountLife.PENDING)
    assert (deed.document, deed.document_check) == ("work_permit", "agrees")
    assert deed.card.expires_on is None


def test_a_student_of_the_roster_gets_his_account_once(world):
    holder = world.person()
    new = visitor(
        world, school_no=holder.school_no, name=holder.name, person=HolderKind.STUDENT, kind=ServiceKind.FORMAL,
        expires_on=None, id_number="", document_kind=DocumentKind.NONE,
    )  # fmt: skip

    assert open_it(new, PaperKind.STUDENT_CARD).account.holder_id == holder.pk
    assert why_not(open_it, replace(new, key=uuid.uuid4()), PaperKind.STUDENT_CARD) == "has_account"


def test_who_left_the_roster_has_no_formal_card(world, django_user_model):
    holder = world.person()
    maker = django_user_model.objects.create(username="li", role="clerk")
    file = RosterFile.objects.create(
        id=uuid.uuid4(), name="x", digest=b"0" * 32, scope="students", state="applied", uploaded_by=maker,
        uploaded_at=NOW, ended_at=NOW, ended_by=maker,
    )  # fmt: skip
    RosterMember.objects.create(holder=holder, file=file, listed_at=NOW, left_at=NOW)
    new = visitor(
        world, school_no=holder.school_no, name=holder.name, person=HolderKind.STUDENT, kind=ServiceKind.FORMAL,
        expires_on=None,
    )  # fmt: skip

    assert why_not(open_it, new, PaperKind.STUDENT_CARD) == "not_on_roster"


@pytest.mark.parametrize(
    "other",
    [{"name": "另一个人"}, {"person": HolderKind.STAFF}, {"id_number": ID_NUMBER}],
    ids=["name", "kind", "number"],
)
def test_a_person_who_differs_from_the_register_is_refused_without_saying_whose_it_is(world, other):
    holder = world.person(kind=HolderKind.OTHER)
    same = {"school_no": holder.school_no, "name": holder.name, "id_number": ""}
    new = visitor(world, **{**same, **other})

    with pytest.raises(AlreadyRegistered) as caught:
        open_it(new)
    assert str(caught.value.message) == "该人员已存在"


def test_the_same_identity_number_under_another_school_number_is_the_same_person(world):
    open_it(visitor(world))

    with pytest.raises(AlreadyRegistered):
        open_it(visitor(world, school_no="V000002"))


def test_a_clerk_opens_no_account_for_himself(world):
    holder = world.person(kind=HolderKind.OTHER)
    new = visitor(world, school_no=holder.school_no, name=holder.name, id_number="")

    assert why_not(open_it, new, own=holder.pk) == "has_account"


@pytest.mark.parametrize(
    ("days", "why"),
    [(None, "expiry_needed"), (-1, "bad_day"), (0, "bad_day"), (1, None), (1830, None), (1831, "bad_day")],
)
def test_a_named_card_ends_on_a_day_within_five_years(world, days, why):
    new = visitor(world, expires_on=None if days is None else TODAY + timedelta(days=days))

    if why is None:
        assert open_it(new).card.expires_on == new.expires_on
    else:
        assert why_not(open_it, new) == why


def test_the_same_key_opens_once_and_another_person_under_it_is_refused(world):
    new = visitor(world)
    first = open_it(new)

    assert open_it(new).pk == first.pk
    assert Holder.objects.count() == 1
    with pytest.raises(deeds.KeyReused):
        open_it(replace(new, person=replace(new.person, name="别人")))


def test_nothing_of_the_person_stands_in_the_deed(world):
    deed = open_it(visitor(world))

    kept = f"{deed.facts} {deed.reason} {bytes(deed.content_hash).hex()} {deed.document_check}"
    assert not any(text in kept for text in (ID_NUMBER, "李访客", "V000001"))


# ----------------------------------------------------------------------------------------- made, looked at, given


def test_the_steps_from_the_blank_to_the_hand(world):
    """BLANK → ISSUED → ACTIVE, the account PENDING until it is handed over."""
    account = open_it(visitor(world)).account
    assert making_of(account.pk).step is Step.WRITE
    card = Card.objects.get()

    cards.issue(card.pk, "A1B2C3D4", by=BY)
    assert making_of(account.pk).step is Step.LOOK
    assert why_not(issuing.hand_over, uuid.uuid4(), account.pk, door=AWAY, now=NOW) == "card_not_here"
    key = uuid.uuid4()
    issuing.hand_over(key, account.pk, door=HERE, now=NOW)

    account.refresh_from_db()
    card.refresh_from_db()
    assert (account.life, card.life, making_of(account.pk).step) == ("open", "active", Step.DONE)
    assert issuing.hand_over(key, account.pk, door=HERE, now=NOW).pk == key


def test_a_spoilt_card_is_void_and_another_blank_is_noted(world):
    account = open_it(visitor(world)).account
    first = Card.objects.get()
    cards.issue(first.pk, "A1B2C3D4", by=BY)

    deed = issuing.void_and_again(uuid.uuid4(), account.pk, "印错照片", door=AWAY, now=NOW)

    first.refresh_from_db()
    assert (first.life, deed.card.life, deed.card.issue_no, deed.card.expires_on) == (
        "void",
        "blank",
        2,
        SOON,
    )
    assert making_of(account.pk).spoilt == 1


def test_reading_it_back_does_not_hand_it_over(world):
    """A desk's look takes the card into use; it may still be spoilt, until the holder has it."""
    account = open_it(visitor(world)).account
    card = Card.objects.get()
    cards.issue(card.pk, "A1B2C3D4", by=BY)
    cards.move(card.pk, CardLife.ACTIVE, by=BY)
    assert making_of(account.pk).step is Step.LOOK

    again = issuing.void_and_again(uuid.uuid4(), account.pk, "印错照片", door=AWAY, now=NOW).card
    cards.issue(again.pk, "A1B2C3D5", by=BY)
    cards.move(again.pk, CardLife.ACTIVE, by=BY)
    issuing.hand_over(uuid.uuid4(), account.pk, door=HERE, now=NOW)

    assert making_of(account.pk).step is Step.DONE
    assert why_not(issuing.void_and_again, uuid.uuid4(), account.pk, "x", door=AWAY, now=NOW) == "wrong_life"


def test_a_card_in_use_is_replaced_not_voided(world):
    account = world.account()

    assert why_not(issuing.void_and_again, uuid.uuid4(), account.pk, "x", door=AWAY, now=NOW) == "wrong_life"


def test_an_account_whose_card_was_returned_gets_another(world):
    account = world.account()
    assert why_not(issuing.order_card, uuid.uuid4(), account.pk, None, door=door(), now=NOW) == "wrong_life"
    cards.move(Card.objects.get(account=account).pk, CardLife.RETURNED, by=BY)

    deed = issuing.order_card(uuid.uuid4(), account.pk, None, door=door(), now=NOW)

    assert (deed.card.life, deed.card.issue_no) == (CardLife.BLANK, 2)
    assert why_not(issuing.order_card, uuid.uuid4(), account.pk, None, door=door(), now=NOW) == "card_waiting"


def test_nobody_serves_himself(world):
    account = world.account()
    own = door(own=account.holder_id)

    for act in (
        lambda: issuing.order_card(uuid.uuid4(), account.pk, None, door=own, now=NOW),
        lambda: issuing.extend_card(uuid.uuid4(), account.pk, SOON, door=own, now=NOW),
        lambda: issuing.void_and_again(uuid.uuid4(), account.pk, "x", door=own, now=NOW),
        lambda: issuing.hand_over(uuid.uuid4(), account.pk, door=own, now=NOW),
        lambda: issuing.make_slips(uuid.uuid4(), account.pk, door=own, now=NOW, secrets=SECRETS),
    ):
        with pytest.raises(WrongDoor):
            act()


# ---------------------------------------------------------------------------------------------------- extension


def test_an_extension_goes_forward_and_wakes_an_expired_card(world):
    account = world.account()
    card = Card.objects.get(account=account)
    cards.move(card.pk, CardLife.EXPIRED, by=BY)

    deed = issuing.extend_card(uuid.uuid4(), account.pk, date(2031, 6, 30), door=door(), now=NOW)

    card.refresh_from_db()
    assert (card.life, card.expires_on) == (CardLife.ACTIVE, date(2031, 6, 30))
    assert deed.facts["former"] == "2030-06-30"


@pytest.mark.parametrize(
    "day", [date(2030, 6, 29), date(2030, 6, 30), TODAY, TODAY + timedelta(days=1831)], ids=str
)
def test_no_day_before_the_present_one_nor_too_far(world, day):
    account = world.account()

    assert why_not(issuing.extend_card, uuid.uuid4(), account.pk, day, door=door(), now=NOW) == "bad_day"


def test_an_extension_needs_an_identity_document(world):
    account = world.account()
    at = door(PaperKind.WORK_PERMIT)

    assert (
        why_not(issuing.extend_card, uuid.uuid4(), account.pk, date(2031, 1, 1), door=at, now=NOW)
        == "document_needed"
    )


# ------------------------------------------------------------------------------------------------------- passwords


def test_who_has_no_identity_number_gets_two_random_passwords_once(world):
    """A16: never 888888; printed once, the page sent again shows nothing."""
    deed = open_it(visitor(world, id_number="", document_kind=DocumentKind.NONE))
    key = uuid.uuid4()

    slips = issuing.make_slips(key, deed.account_id, door=AWAY, now=NOW, secrets=SECRETS)

    assert set(slips.pins) == set(SecretKind)
    assert slips.pins[SecretKind.QUERY] != slips.pins[SecretKind.CONSUMPTION]
    for kind, pin in slips.pins.items():
        secret = passwords._secret(deed.account_id, kind)
        assert passwords.matches(secret, pin, kind=kind, secrets=SECRETS).right
    why = why_not(issuing.make_slips, key, deed.account_id, door=AWAY, now=NOW, secrets=SECRETS)
    assert why == "already_printed"
    assert not any(pin in str(row.facts) for row in CounterDeed.objects.all() for pin in slips.pins.values())


def test_where_the_password_follows_from_the_number_nothing_is_printed(world):
    deed = open_it(visitor(world))

    assert issuing.make_slips(uuid.uuid4(), deed.account_id, door=AWAY, now=NOW, secrets=SECRETS).pins == {}


def test_passwords_that_the_holder_chose_are_not_thrown_away(world):
    account = world.with_pin(world.account())

    why = why_not(issuing.make_slips, uuid.uuid4(), account.pk, door=AWAY, now=NOW, secrets=SECRETS)
    assert why == "own_passwords"


# ------------------------------------------------------------------------------------------------------- documents


@pytest.mark.parametrize(
    ("paper", "tail", "number", "note"),
    [
        (PaperKind.RESIDENT, ID_NUMBER[-4:], ID_NUMBER, "agrees"),
        (PaperKind.RESIDENT, "9999", "", "not in the register: 9999"),
        (PaperKind.WORK_PERMIT, "0042", ID_NUMBER, "not in the register: 0042"),
    ],
)
def test_what_is_noted_of_a_document_of_somebody_new(paper, tail, number, note):
    assert issuing.check_document(SeenPaper(paper, tail), number) == note


def test_a_document_that_does_not_end_like_the_number_is_refused():
    with pytest.raises(NotAllowed):
        issuing.check_document(SeenPaper(PaperKind.RESIDENT, "9999"), ID_NUMBER)


# --------------------------------------------------------------------------------------------------------- clean-up


@pytest.mark.parametrize(("days", "listed"), [(364, False), (365, False), (366, True)])
def test_named_cards_that_no_reader_saw_for_a_year_are_listed(world, days, listed):
    """N06: never seen counts from the opening; a formal card is none of it."""
    account = world.account(kind=ServiceKind.NAMED)
    world.account()
    later = NOW + timedelta(days=days)

    found = unused_named(now=later, unused_for=timedelta(days=365))

    assert [row.account_id for row in found] == ([account.pk] if listed else [])
    Card.objects.filter(account=account).update(seen_at=later - timedelta(days=1))
    assert unused_named(now=later, unused_for=timedelta(days=365)) == ()


@pytest.mark.parametrize(
    ("side", "seq", "left"), [("spend", 59_999, []), ("spend", 60_000, [5_535]), ("load", 65_535, [0])]
)
def test_a_card_that_is_nearly_worn_is_listed_while_it_is_in_use(world, side, seq, left):
    card = Card.objects.get(account=world.account())
    world.account()
    Card.objects.filter(pk=card.pk).update(**{f"{side}_seq": seq})

    assert [row.left for row in nearly_worn()] == left
    cards.move(card.pk, CardLife.DAMAGED, by=BY)
    assert nearly_worn() == ()
