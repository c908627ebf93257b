"""Keys of other systems on the administration's pages: two people, shown once, turned, shut out (A08)."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, OperatorRole, Request
from terminals.api import wiring
from terminals.messages import signing, strictjson
from terminals.messages.signing import PartnerStamp, TerminalKeys
from terminals.models import DoorRefusal, Partner, PartnerContact, PartnerDay
from terminals.services import partners as work
from terminals.services.partners import BadAddress, NewPartner, networks
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import Book, campus
from transactions.days import local_day

BASE = "/counter/office/partners"
QUESTION = {"service": "lending", "campus": "laoshan", "by": "uid", "value": "a0000001", "ident": None}


@pytest.fixture
def admin(db):
    return browser_of(desk.operator("root", OperatorRole.ADMIN, None))


@pytest.fixture
def keeper(db):
    """A supervisor of 崂山."""
    return browser_of(desk.operator("keeper", OperatorRole.SUPERVISOR, "laoshan"))


@pytest.fixture
def chief(db):
    """A supervisor of all campuses."""
    return browser_of(desk.operator("chief", OperatorRole.SUPERVISOR, None))


def wanted(*places: str, **more) -> dict:
    return {
        "key": str(uuid.uuid4()), "name_zh": "图书馆管理系统", "name_en": "Library", "contact": "图书馆技术部 66781234",
        "services": ["lending", "library_gate"], "places": [str(campus(each).pk) for each in places or ("laoshan",)],
        "addresses": "", "per_minute": "600", "reason": "馆舍改造", "tells_name": "on", "tells_school_no": "on",
        "expires_on": (local_day(timezone.now()) + timedelta(days=365)).isoformat(),
    } | more  # fmt: skip


def key_on(page: str) -> str:
    return re.search(r'class="code">(\d+\.\d+\.[0-9a-f]{64})<', page)[1]


def asks_with(token: str) -> tuple[int, dict]:
    """A question signed with what was shown on the page, as the other system's people would."""
    partner, epoch, secret = token.split(".")
    keys, at = TerminalKeys.from_secret(bytes.fromhex(secret)), int(timezone.now().timestamp() * 1000)
    stamp = PartnerStamp(int(partner), int(epoch), at, uuid.uuid4().bytes)
    body = strictjson.dumps(QUESTION)
    request = signing.Request("POST", "testserver", "/api/v1/identity", body)
    header = signing.sign_partner_request(keys, request, stamp)
    answer = Client().post(
        "/api/v1/identity", body, content_type="application/json", headers={"Authorization": header}
    )
    return answer.status_code, answer.json()


def made(admin, second, *places: str, **more) -> str:
    """A key through the pages: asked for, agreed to, shown."""
    assert admin.post(f"{BASE}/new/", wanted(*places, **more)).status_code == 302
    request = Request.objects.latest("id")
    page = text_of(second.get(f"/counter/requests/{request.pk}/"))
    agreed = second.post(f"/counter/requests/{request.pk}/agree/", {"digest": hidden(page, "digest")})
    assert agreed.status_code == 302
    return key_on(text_of(admin.post(f"/counter/office/requests/{request.pk}/key/")))


def partner(**more) -> Partner:
    moment = timezone.now()
    found = Partner.objects.create(
        **{"name_zh": "宿舍门禁", "contact": "后勤处", "services": ["dorm_door"], "made_at": moment,
           "turned_at": moment, "expires_on": local_day(moment) + timedelta(days=200)} | more
    )  # fmt: skip
    found.campuses.add(campus("laoshan"))
    PartnerContact.objects.create(partner=found)
    return found


# ------------------------------------------------------------------------------------------- a new key


def test_a_key_takes_two_people_is_shown_once_and_works(admin, keeper):
    """A08, security.md section 5: an administrator asks, a supervisor of its campus agrees."""
    assert admin.post(f"{BASE}/new/", wanted()).status_code == 302
    request = Request.objects.get()
    hand = f"/counter/office/requests/{request.pk}/key/"
    assert (admin.post(hand).status_code, Partner.objects.count()) == (409, 0)

    page = text_of(keeper.get(f"/counter/requests/{request.pk}/"))
    for word in ("图书馆管理系统", "图书馆门禁、图书借阅", "姓名（只露姓）、学工号", "只按卡号", "馆舍改造"):
        assert word in page
    keeper.post(f"/counter/requests/{request.pk}/agree/", {"digest": hidden(page, "digest")})
    assert keeper.post(hand).status_code == 403
    token = key_on(text_of(admin.post(hand)))

    status, told = asks_with(token)
    assert (status, told["allowed"], told["reason"]) == (200, False, "unknown")
    assert (admin.post(hand).status_code, Partner.objects.count()) == (409, 1)
    for page in (hand, f"{BASE}/", f"{BASE}/{Partner.objects.get().pk}/", "/counter/requests/"):
        assert token.split(".")[2] not in text_of(admin.get(page))
    assert AuditEvent.objects.filter(action="partner.register").count() == 1


def test_the_secret_is_nowhere_in_the_database(admin, keeper):
    secret = made(admin, keeper).split(".")[2]

    stored = [
        str(row) for model in (Partner, PartnerContact, AuditEvent, Request) for row in model.objects.values()
    ]

    assert not any(secret in row or str(bytes.fromhex(secret)) in row for row in stored)


def test_a_key_of_several_campuses_takes_a_supervisor_of_all(admin, keeper, chief):
    admin.post(f"{BASE}/new/", wanted("laoshan", "yushan"))
    request = Request.objects.get()
    page = text_of(chief.get(f"/counter/requests/{request.pk}/"))
    digest = {"digest": hidden(page, "digest")}

    assert keeper.post(f"/counter/requests/{request.pk}/agree/", digest).status_code in (403, 404, 409)
    assert chief.post(f"/counter/requests/{request.pk}/agree/", digest).status_code == 302


def test_the_same_form_twice_is_one_request(admin):
    form = wanted()

    assert admin.post(f"{BASE}/new/", form).url == admin.post(f"{BASE}/new/", form).url
    assert Request.objects.count() == 1


TODAY = local_day(timezone.now())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name_zh": ""}, "请填写名称"),
        ({"name_zh": "\u202e系统"}, "名称"),
        ({"contact": " "}, "联系人"),
        ({"contact": "x" * 121}, "联系人"),
        ({"services": []}, "请至少选择一项服务"),
        ({"services": ["canteen"]}, "没有这项服务"),
        ({"services": ["lending", "bank_transfer"]}, "没有这项服务"),
        ({"places": []}, "请至少选择一个校区"),
        ({"places": ["999999"]}, "没有这个校区"),
        ({"addresses": "10.8.0.1/24"}, "不是网络地址：10.8.0.1/24"),
        ({"addresses": "10.8.0.0/24 图书馆"}, "不是网络地址：图书馆"),
        ({"addresses": " ".join(f"10.0.0.{n}" for n in range(9))}, "不是网络地址：10.0.0.8"),
        ({"per_minute": "0"}, "请填写 1 至 6000 的整数"),
        ({"per_minute": "6001"}, "请填写 1 至 6000 的整数"),
        ({"per_minute": "1e3"}, "请填写 1 至 6000 的整数"),
        ({"per_minute": ""}, "请填写 1 至 6000 的整数"),
        ({"expires_on": ""}, "请填写日期"),
        ({"expires_on": "2026-02-30"}, "请填写日期"),
        ({"expires_on": (TODAY - timedelta(days=1)).isoformat()}, "须在今天之后、两年之内"),
        ({"expires_on": (TODAY + timedelta(days=732)).isoformat()}, "须在今天之后、两年之内"),
        ({"reason": ""}, "理由"),
        ({"name_zh": ["甲", "乙"]}, "该项重复提交"),
        ({"key": "x"}, "页面已过期"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_beside_its_field(admin, wrong, words):
    answer = admin.post(f"{BASE}/new/", wanted(**wrong))

    assert answer.status_code == 400
    assert words in plain(answer)
    assert not Request.objects.exists()


@pytest.mark.parametrize("days", [0, 730])
def test_the_last_day_is_today_at_the_earliest_and_two_years_off_at_the_latest(admin, days):
    last = (local_day(timezone.now()) + timedelta(days=days)).isoformat()

    assert admin.post(f"{BASE}/new/", wanted(expires_on=last)).status_code == 302


def test_what_was_typed_stays_in_the_form(admin):
    page = text_of(admin.post(f"{BASE}/new/", wanted(per_minute="x", addresses="10.8.0.0/24")))

    assert len(re.findall(r'value="(?:lending|library_gate)" checked', page)) == 2
    assert f'value="{campus("laoshan").pk}" checked' in page
    assert "10.8.0.0/24" in page


def test_networks_are_read_as_people_type_them():
    assert networks(" 10.8.0.0/24，192.0.2.9、2001:db8::/32,10.8.0.0/24\n") == (
        "10.8.0.0/24", "192.0.2.9/32", "2001:db8::/32",
    )  # fmt: skip
    assert networks("") == ()
    for bad in ("10.8.0.0/33", "10.8.0", "host.example", "10.8.0.1/24", "'; drop"):
        with pytest.raises(BadAddress):
            networks(bad)


def test_what_two_people_agree_on_is_what_is_made(admin, keeper):
    token = made(admin, keeper, by_number="on", addresses="10.8.0.0/24", per_minute="30")

    found = Partner.objects.get(pk=int(token.split(".")[0]))
    assert (found.services, found.addresses, found.per_minute) == (
        ["library_gate", "lending"],
        ["10.8.0.0/24"],
        30,
    )
    assert (found.tells_name, found.tells_school_no, found.by_number) == (True, True, True)
    assert [place.code for place in found.campuses.all()] == ["laoshan"]
    assert NewPartner.from_content(json.loads(Request.objects.get().canonical)).campus_ids == (
        found.campuses.get().pk,
    )


# -------------------------------------------------------------------------------------------- turned


def turn(admin, found: Partner, kept: str = "7", epoch: int = 1):
    return admin.post(f"{BASE}/{found.pk}/turn/", {"epoch": str(epoch), "kept": kept})


def token_of(found: Partner, epoch: int) -> str:
    return f"{found.pk}.{epoch}.{wiring.keyring().partner_secret(found.pk, epoch).hex()}"


def test_while_a_key_is_turned_both_work_and_then_the_new_one_alone(admin):
    found = partner(services=["lending"])
    assert asks_with(token_of(found, 1))[0] == 200

    new = key_on(text_of(turn(admin, found)))

    assert new == token_of(found, 2)
    assert "对方还在用旧密钥" in text_of(admin.get(f"{BASE}/{found.pk}/"))
    assert (asks_with(token_of(found, 1))[0], asks_with(new)[0]) == (200, 200)
    assert "对方还在用旧密钥" not in text_of(admin.get(f"{BASE}/{found.pk}/"))
    Partner.objects.filter(pk=found.pk).update(kept_until=timezone.now())
    assert (asks_with(token_of(found, 1))[0], asks_with(new)[0]) == (401, 200)


def test_a_key_in_wrong_hands_is_turned_at_once_and_does_not_come_back(admin):
    found = partner(services=["lending"])
    asks_with(token_of(found, 1))

    turn(admin, found, "0")

    assert asks_with(token_of(found, 1))[0] == 401
    assert "对方现在查询不了" in text_of(admin.get(f"{BASE}/{found.pk}/"))
    turn(admin, found, "30", epoch=2)
    assert asks_with(token_of(found, 1))[0] == 401, "it was shut out: a later change does not let it in again"


def test_a_new_key_that_reached_nobody_does_not_push_the_used_one_out(admin):
    """The page with the new key was closed too early: turned again, the key in use stays good."""
    found = partner(services=["lending"])
    asks_with(token_of(found, 1))
    turn(admin, found)

    turn(admin, found, epoch=2)

    assert (asks_with(token_of(found, 1))[0], asks_with(token_of(found, 3))[0]) == (200, 200)
    assert asks_with(token_of(found, 2))[0] == 401


def test_sent_twice_a_key_is_turned_once(admin):
    found = partner()
    assert turn(admin, found).status_code == 200

    again = turn(admin, found)

    assert again.status_code == 409
    assert "密钥刚换过" in plain(again)
    found.refresh_from_db()
    assert found.epoch == 2
    assert AuditEvent.objects.filter(action="partner.turn").count() == 1


@pytest.mark.parametrize(
    "wrong", [{"epoch": ""}, {"epoch": "0"}, {"epoch": "x"}, {"kept": "8"}, {"kept": ""}], ids=str
)
def test_a_turn_says_what_it_turns(admin, wrong):
    found = partner()

    assert admin.post(f"{BASE}/{found.pk}/turn/", {"epoch": "1", "kept": "7"} | wrong).status_code == 400
    found.refresh_from_db()
    assert found.epoch == 1


# ------------------------------------------------------------------------------------------ shut out


def test_a_supervisor_shuts_a_key_out_at_once_and_for_good(keeper, admin):
    found = partner(services=["lending"])
    asks_with(token_of(found, 1))
    out = f"{BASE}/{found.pk}/shut-out/"
    assert keeper.post(out, {"reason": ""}).status_code == 400

    assert keeper.post(out, {"reason": "密钥出现在网上"}).status_code == 302
    assert keeper.post(out, {"reason": "密钥出现在网上"}).status_code == 302

    status, told = asks_with(token_of(found, 1))
    assert (status, told["error"]) == (403, "revoked")
    event = AuditEvent.objects.get(action="partner.revoke")
    assert event.reason == "密钥出现在网上"
    assert turn(admin, found).status_code == 409
    page = plain(admin.get(f"{BASE}/{found.pk}/"))
    assert "已停用" in page
    assert "停用这个密钥" not in page


# ---------------------------------------------------------------------------------------- the pages


@pytest.mark.parametrize(
    ("days", "used", "word"),
    [
        (-1, True, "已过期"),
        (0, True, "30 天内到期"),
        (30, True, "30 天内到期"),
        (31, True, "正常"),
        (31, False, "从未使用"),
    ],
)
def test_a_key_is_pointed_out_before_it_ends(admin, days, used, word):
    found = partner(expires_on=local_day(timezone.now()) + timedelta(days=days))
    if used:
        PartnerContact.objects.filter(partner=found).update(used_at=timezone.now())

    assert f"宿舍门禁 宿舍门禁 {word}" in plain(admin.get(f"{BASE}/"))


def test_the_page_tells_counts_and_reasons_and_nobodys_name(admin):
    found, account = partner(), Book.open(5_00).account
    PartnerDay.objects.create(
        partner=found, on=local_day(timezone.now()), asked=40, refused=3, unknown=2, rejected=7
    )
    DoorRefusal.objects.create(
        partner=found, account=account, service="dorm_door", denial="card_lost", at=timezone.now()
    )

    page = plain(admin.get(f"{BASE}/{found.pk}/"))

    assert "40 3 2 7" in page
    assert "该卡已挂失 宿舍门禁 1" in page
    assert account.holder.name not in page
    assert str(account.number) not in page
    assert "40 3 7" in plain(admin.get(f"{BASE}/"))


def test_a_page_of_keys_takes_few_statements(admin, django_assert_max_num_queries):
    for number in range(5):
        partner(name_zh=f"门禁 {number}")
    admin.get(f"{BASE}/")

    with django_assert_max_num_queries(14):
        admin.get(f"{BASE}/")


def test_the_service_refuses_a_key_of_no_campus(db):
    bad = NewPartner("x", "y", ("bus",), (), "2027-01-01")

    with pytest.raises(ValueError, match="campus"):
        work.register_agreed.__wrapped__(1, bad, keyring=None, actor=None, now=timezone.now())
