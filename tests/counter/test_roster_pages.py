"""The pages for many at once: a year's students from the file to the card in the hand, and every refusal on the way."""

from __future__ import annotations

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import (
    Account,
    AuditEvent,
    Card,
    ClosingBatch,
    Holder,
    IssueBatch,
    IssueItem,
    OperatorRole,
    Photo,
    RosterFile,
    RosterRow,
)
from counter.roster import uploads
from terminals.device.reader.model import ClassicCard
from terminals.models import CardJob
from tests.accounts.roster import HEADER, csv, person, xlsx
from tests.accounts.test_roster_photos import archive, picture
from tests.counter.pages import browser_of, hidden, plain, text_of
from tests.reconciliation import desk
from tests.reconciliation.books import Book, campus
from tests.terminals.conftest import server  # noqa: F401 - a fixture
from tests.till.desk_bench import DeskBench, hurried  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
HOME = "/counter/roster/"


@pytest.fixture
def laoshan(db):
    place = campus("laoshan")
    place.name_zh, place.name_en = "崂山校区", "Laoshan"
    place.save()
    return place


@pytest.fixture
def clerk(laoshan):
    return desk.operator("wang", OperatorRole.CLERK)


@pytest.fixture
def web(clerk) -> Client:
    return browser_of(clerk)


def give(web: Client, data: bytes, name: str = "新生.xlsx", *, key=None, **fields):
    sent = {"key": key or uuid.uuid4(), "scope": "additions", "file": SimpleUploadedFile(name, data)} | fields
    return web.post(f"{HOME}upload/", sent)


def press_on(web: Client, page: str) -> None:
    """The button of a page without its script, until there is none."""
    for _ in range(60):
        if "data-slices" not in text_of(web.get(page)):
            return
        assert web.post(f"{page}slice/").url == page
    raise AssertionError("never over")


def bring(web: Client, data: bytes, name: str = "新生.xlsx", **fields) -> str:
    answer = give(web, data, name, **fields)
    assert answer.status_code == 302, plain(answer)
    press_on(web, answer.url)
    return answer.url


def apply(web: Client, page: str):
    return web.post(f"{page}apply/", {"revision": hidden(text_of(web.get(page)), "revision")})


def batch_of(web: Client, *rows) -> IssueBatch:
    apply(web, bring(web, xlsx(*rows)))
    fields = {"key": uuid.uuid4(), "campus": campus("laoshan").pk, "name": "2026 级新生", "expires_on": ""}
    answer = web.post(f"{HOME}issues/new/", fields)
    assert answer.status_code == 302, plain(answer)
    return IssueBatch.objects.latest("pk")


# ------------------------------------------------------------------------------------------------------- rosters


def test_from_the_file_to_the_book_without_a_script(web):
    page = bring(web, xlsx(person(1), person(2)))
    shown = plain(web.get(page))
    assert "2 新增" in shown
    assert "新增 2 人，" in shown
    assert not Holder.objects.exists()

    answer = apply(web, page)

    assert answer.url == page
    assert Holder.objects.count() == 2
    assert "给这些人制卡" in plain(web.get(page))
    assert apply_again(web, page).url == page
    assert Holder.objects.count() == 2


def apply_again(web, page):
    """The browser's resend of the same confirmation."""
    return web.post(f"{page}apply/", {"revision": "1"})


def test_the_script_is_told_how_far_it_is(web):
    page = give(web, xlsx(*[person(serial) for serial in range(700)])).url
    shares = []
    for _ in range(10):
        told = web.post(f"{page}slice/", headers={"Accept": "application/json"}).json()
        shares.append(told["share"])
        if told["over"]:
            break

    assert shares == [35, 50, 85, 100]
    assert RosterRow.objects.count() == 700


def test_rejected_rows_stand_on_the_page_with_line_and_reason_and_can_be_taken_home(web):
    page = bring(web, xlsx(person(1), person(2, name="=cmd()|x", kind="领导"), person(3, id_number=3.7e17)))
    shown = plain(web.get(page))
    assert "有 2 行不能导入，所以一行也没有导入" in shown
    assert "确认导入" not in shown

    sheet = web.get(f"{page}rejected.csv").content.decode("utf-8-sig")

    assert sheet.splitlines()[0] == "行,学工号,姓名,原因"
    assert sheet.splitlines()[1].startswith("3,20260000002,")
    assert "证件号码在表格里成了数值" in sheet.splitlines()[2]
    assert apply_again(web, page).status_code == 409
    assert not Holder.objects.exists()


def test_what_is_taken_home_is_no_formula(web):
    """Item 53."""
    page = bring(web, csv(person(1, name="@SUM(A1)", kind="x")), "a.csv")

    assert ",'@SUM(A1)," in web.get(f"{page}rejected.csv").content.decode()


def test_a_name_that_is_markup_is_shown_as_it_was_typed(web):
    """Item 50."""
    page = bring(web, xlsx(person(1, name="<script>alert(1)</script>", unit="{{7*7}}{% debug %}")))

    shown = text_of(web.get(f"{page}?show=new"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{7*7}}{% debug %}" in shown


def test_a_file_in_doubt_is_shown_in_both_readings(web):
    header = ("Student number", "Name", "Kind", "Campus")
    data = csv(("20260000001", "联通", "student", "laoshan"), header=header, encoding="gb18030")
    page = give(web, data, "a.csv").url
    assert "20260000001,联通,student,laoshan" in text_of(web.get(page))

    assert web.post(f"{page}encoding/", {"encoding": "latin-1"}).status_code == 400
    assert web.post(f"{page}encoding/", {"encoding": "gb18030"}).url == page
    press_on(web, page)

    assert RosterRow.objects.get().name == "联通"
    assert web.post(f"{page}encoding/", {"encoding": "gb18030"}).url == page


@pytest.mark.parametrize(
    ("data", "name", "fields", "said"),
    [
        (b"", "a.csv", {}, "文件是空的"),
        (b"x", "a.exe", {}, "只接受 xlsx 和 CSV 文件"),
        (xlsx(person(1), header=HEADER[::-1][:3]), "a.xlsx", {}, "没有找到表头"),
        (xlsx(person(1)), "a.xlsx", {"scope": "everybody"}, "请选择文件里是谁"),
        (xlsx(person(1)), "a.xlsx", {"key": "x"}, "页面已过期"),
        (xlsx(person(1)), "a.xlsx", {"scope": ["additions", "staff"]}, "该项重复提交"),
    ],
    ids=["empty", "exe", "no header", "scope", "key", "twice"],
)
def test_what_cannot_be_taken_in_is_said_beside_its_field_and_leaves_nothing(web, data, name, fields, said):
    answer = give(web, data, name, **fields)

    assert answer.status_code == 400
    assert said in plain(answer)
    assert not RosterFile.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="roster").exists()


def test_a_file_that_is_not_there_is_asked_for(web):
    answer = web.post(f"{HOME}upload/", {"key": uuid.uuid4(), "scope": "additions"})

    assert answer.status_code == 400
    assert "请选择文件" in plain(answer)


def test_more_than_allowed_is_not_read_to_its_end(web, monkeypatch):
    """Item 73: 100 MB. The bound holds while the body comes in, not after it."""
    seen = []
    real = uploads._Bound.receive_data_chunk

    def counting(self, raw_data, start):
        seen.append(len(raw_data))
        return real(self, raw_data, start)

    monkeypatch.setattr(uploads._Bound, "receive_data_chunk", counting)
    answer = give(web, bytes(30 * 1024 * 1024), "a.csv")

    assert answer.status_code == 413
    assert "文件超过 10 MB" in plain(answer)
    assert sum(seen) < 11 * 1024 * 1024
    assert not RosterFile.objects.exists()


@pytest.mark.parametrize("page", ["upload/", "photos/upload/", "closings/new/"])
def test_a_page_that_takes_files_still_asks_for_its_token(laoshan, page):
    """Item 86: the bound is set before the CSRF check, not instead of it."""
    person_in = desk.operator("chief", OperatorRole.SUPERVISOR)
    strict = Client(enforce_csrf_checks=True)
    from tests.counter.test_permissions import staff_session

    staff_session(strict, person_in)

    assert strict.post(f"{HOME}{page}", {"key": uuid.uuid4()}).status_code == 403


def test_the_same_file_again_leads_to_what_became_of_it(web):
    data = xlsx(person(1))
    page = bring(web, data)
    apply(web, page)

    again = give(web, data, "copy.xlsx")

    assert again.url == page
    assert "这个文件已导入，没有重复导入" in plain(web.get(page))
    assert RosterFile.objects.count() == 1


def test_a_file_put_away_is_gone(web):
    page = bring(web, xlsx(person(1)))

    assert web.post(f"{page}discard/").url == HOME
    assert "已放弃" in plain(web.get(page))
    assert web.post(f"{page}discard/").url == HOME
    assert not RosterRow.objects.exists()


def test_who_is_not_in_a_list_of_everybody_is_named(web):
    apply(web, bring(web, xlsx(person(1), person(2))))

    page = bring(web, xlsx(person(1)), "全体.xlsx", scope="students")

    shown = plain(web.get(page))
    assert "将记为离册" in shown
    assert "20260000002" in shown


def test_the_empty_form_is_an_xlsx(web):
    answer = web.get(f"{HOME}form.xlsx")

    assert answer.content.startswith(b"PK")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="roster.xlsx"'


@pytest.mark.parametrize(
    "query", ["?show=x", "?after=-1", "?after=abc", "?after=99999999999", "?show=new&after=²"]
)
def test_odd_questions_about_a_file_get_its_first_page(web, query):
    page = bring(web, xlsx(person(1)))

    assert web.get(page + query).status_code == 200


# -------------------------------------------------------------------------------------------------------- photos


def test_photos_come_in_and_whoever_lacks_one_is_listed(web):
    apply(web, bring(web, xlsx(person(1), person(2))))
    source = archive(**{"20260000001.jpg": picture(), "x.txt": b"x"})
    sent = {"key": uuid.uuid4(), "file": SimpleUploadedFile("照片.zip", source.getvalue())}

    answer = web.post(f"{HOME}photos/upload/", sent)
    press_on(web, answer.url)

    shown = plain(web.get(answer.url))
    assert "1 新增" in shown
    assert "x.txt 文件名应为学工号加" in shown
    missing = plain(web.get(f"{HOME}photos/missing/"))
    assert "20260000002" in missing
    assert "20260000001" not in missing


def test_a_photo_is_kept_nowhere_and_runs_nothing(web, clerk):
    holder = Holder.objects.create(school_no="20260000001", name="王", kind="student", campus=clerk.campus)
    Photo.objects.create(
        holder=holder,
        image=picture(),
        source_digest=bytes(32),
        taken_in_at="2026-11-23T00:00Z",
        taken_in_by=clerk,
    )

    answer = web.get(f"{HOME}photos/of/{holder.pk}/")

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert web.get(f"{HOME}photos/of/{holder.pk + 1}/").status_code == 404


@pytest.mark.parametrize("page", ["0", "-1", "abc", "99999", "1" * 18])
def test_pages_of_the_missing_photos_that_are_none_are_not_there(web, page):
    assert web.get(f"{HOME}photos/missing/?page={page}").status_code == 404


# -------------------------------------------------------------------------------------------------------- batches


def test_a_batch_is_counted_before_it_is_opened(web):
    apply(web, bring(web, xlsx(person(1), person(2))))
    place = campus("laoshan").pk

    assert "2 人在册、还没有账户" in plain(web.get(f"{HOME}issues/new/?campus={place}"))
    assert not Account.objects.exists()
    nobody = web.get(f"{HOME}issues/new/?campus={place}&unit=没有的学院")
    assert "没有需要制卡的人员" in plain(nobody)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "请填写批次名称"),
        ({"name": "x" * 41}, "最多 40 个字符"),
        ({"expires_on": "2030-02-30"}, "请填写日期"),
        ({"expires_on": "2020-01-01"}, ""),
        ({"campus": "999999"}, ""),
        ({"file": "nonsense"}, "没有这个名册文件"),
    ],
)
def test_a_batch_that_cannot_be_opened_opens_nothing(web, fields, said):
    apply(web, bring(web, xlsx(person(1))))
    sent = {"key": uuid.uuid4(), "campus": campus("laoshan").pk, "name": "新生", "expires_on": ""} | fields

    answer = web.post(f"{HOME}issues/new/", sent)

    assert answer.status_code in (400, 409)
    assert said in plain(answer)
    assert not Account.objects.exists()


def test_the_face_shows_the_person_and_neither_account_nor_chip(web):
    """指南 L19: 卡片上印刷有持卡人照片和持卡人姓名. The account number would help a finder to lift a loss report."""
    batch = batch_of(web, person(1))
    page = f"{HOME}issues/{batch.pk}/faces/"

    assert web.post(page, {"from": "1"}).url == f"{page}?from=1"

    shown = text_of(web.get(f"{page}?from=1"))
    face = shown[shown.index('class="cr80') :]
    for word in (
        "李洋海",
        "20260000001",
        "示范学院2",
        "学生 · 正式卡",
        "中国海洋大学",
        "Ocean University of China",
    ):
        assert word in face
    assert str(Account.objects.get().number) not in face
    assert IssueItem.objects.get().printed_at is not None
    assert AuditEvent.objects.get(action="issue.print").after["cards"] == 1
    assert web.get(f"{page}?from=0").status_code == 404
    assert web.get(f"{page}?from=2").status_code == 404


def test_one_card_alone_has_the_same_face(web):
    batch_of(web, person(1))

    assert "李洋海" in text_of(web.get(f"/counter/accounts/{Account.objects.get().pk}/face/"))


@pytest.mark.django_db(transaction=True)
def test_a_series_at_the_real_desk_program_from_blank_to_hand(server, tmp_path):  # noqa: F811 - the fixture
    """Three cards one after another, one of them spoilt, then handed over: the accounts are in use."""
    place = campus("laoshan")
    place.name_zh = "崂山校区"
    place.save()
    bench = DeskBench(tmp_path, server)
    terminal = bench_desk(bench)
    web = browser_of(desk.operator("wang", OperatorRole.CLERK, at=terminal.campus.code))
    place = terminal.campus
    rows = [person(serial, campus=place.name_zh) for serial in (1, 2)]
    apply(web, bring(web, xlsx(*rows)))
    sent = {"key": uuid.uuid4(), "campus": place.pk, "name": "新生", "expires_on": ""}
    assert web.post(f"{HOME}issues/new/", sent).status_code == 302
    page = f"{HOME}issues/{IssueBatch.objects.get().pk}/"
    assert web.post("/counter/desk/", {"desk": terminal.pk, "next": HOME}).status_code == 302

    chips = iter(ClassicCard.blank(bytes([0xC0, 0, 0, n])) for n in range(1, 5))
    _make_next(web, page, bench, next(chips))
    assert "制好了" in plain(web.get(f"{page}series/"))
    spoilt = IssueItem.objects.get(place=1)
    again = {"item": spoilt.pk, "card": spoilt.card_id, "reason": "卡面印歪"}
    for _ in range(2):
        assert web.post(f"{page}again/", again).status_code == 302
    _make_next(web, page, bench, next(chips))
    _make_next(web, page, bench, next(chips))
    bench.cut_power()

    assert "这一批全部制好了" in plain(web.get(f"{page}series/"))
    lives = list(Card.objects.order_by("pk").values_list("life", "issue_no"))
    assert lives == [("void", 1), ("issued", 1), ("issued", 2)]
    assert set(Account.objects.values_list("life", flat=True)) == {"pending"}
    items = [str(pk) for pk in IssueItem.objects.values_list("pk", flat=True)]
    unit = IssueItem.objects.first().account.holder.unit
    assert web.post(f"{page}handed/", {"unit": unit, "item": items}).status_code == 302
    assert set(Account.objects.values_list("life", flat=True)) == {"open"}


def bench_desk(bench):
    from terminals.models import Terminal

    return Terminal.objects.select_related("campus").get(pk=bench.id)


def _make_next(web: Client, page: str, bench: DeskBench, chip: ClassicCard) -> None:
    shown = text_of(web.get(f"{page}series/"))
    form = shown[shown.index("data-series") :]
    sent = {"key": hidden(form, "key"), "item": hidden(form, "item"), "auto_set": "1"}
    for _ in range(2):  # a double click orders once
        assert web.post(f"{page}series/", sent).status_code == 302
    job = CardJob.objects.latest("ordered_at")
    bench.do(job.id, chip)
    job.refresh_from_db()
    assert job.state == "done", (job.state, job.trouble, job.refusal)


def test_without_a_desk_no_card_is_ordered(web):
    batch = batch_of(web, person(1))
    item = IssueItem.objects.get()

    answer = web.post(f"{HOME}issues/{batch.pk}/series/", {"key": uuid.uuid4(), "item": item.pk})

    assert answer.status_code == 409
    assert "请重新选择柜台" in plain(answer)
    assert not CardJob.objects.exists()


def test_a_spoilt_card_wants_a_reason(web):
    batch = batch_of(web, person(1))
    item = IssueItem.objects.get()

    answer = web.post(
        f"{HOME}issues/{batch.pk}/again/", {"item": item.pk, "card": item.card_id, "reason": " "}
    )

    assert answer.status_code == 400
    assert "请填写为什么重做" in plain(answer)
    assert Card.objects.get().life == "blank"


def test_the_list_is_for_signing_and_only_made_cards_can_be_ticked(web):
    batch = batch_of(web, person(1), person(8, document_kind="护照", id_number="E12345678"))
    unit = Holder.objects.first().unit
    page = f"{HOME}issues/{batch.pk}/handover/?unit={unit}"

    shown = text_of(web.get(page))

    assert "本人签收" in shown
    assert "到柜台设密码" in shown
    assert 'name="item"' not in shown
    Card.objects.filter(account__holder__school_no="20260000001").update(life="issued", uid="C0000001")
    assert text_of(web.get(page)).count('name="item"') == 1
    for nobody in ("x", "%00", "%F0%9F%90%9F"):
        assert web.get(f"{HOME}issues/{batch.pk}/handover/?unit={nobody}").status_code == 404
    assert web.post(f"{HOME}issues/{batch.pk}/handed/", {"unit": "\x00"}).status_code == 302
    assert web.post(f"{HOME}issues/{batch.pk}/handed/", {"unit": unit}).status_code == 302
    assert web.post(f"{HOME}issues/{batch.pk}/handed/", {"unit": unit, "item": "x"}).status_code == 302
    assert not IssueItem.objects.exclude(handed_at=None).exists()


def test_pages_of_a_batch_take_few_statements(web, django_assert_max_num_queries):
    batch = batch_of(web, *[person(serial) for serial in range(60)])
    unit = Holder.objects.first().unit

    for page in ("", "faces/", "series/", f"handover/?unit={unit}"):
        with django_assert_max_num_queries(20):
            web.get(f"{HOME}issues/{batch.pk}/{page}")


# -------------------------------------------------------------------------------------------------------- closings


@pytest.fixture
def chief(laoshan) -> Client:
    return browser_of(desk.operator("chief", OperatorRole.SUPERVISOR))


def test_leavers_from_a_list_are_closed_slice_by_slice(chief):
    fine, debt = Book.open(5_00), Book.open(5_00)
    debt.upload(6_00)
    numbers = [(book.account.holder.school_no,) for book in (fine, debt)]
    data = csv(*numbers, ("20190000001",), header=("学号",))
    fields = {"key": uuid.uuid4(), "name": "2026 届"}

    answers = [
        chief.post(f"{HOME}closings/new/", fields | {"file": SimpleUploadedFile("a.csv", data)})
        for _ in range(2)
    ]

    page = answers[0].url
    assert answers[1].url == page
    shown = plain(chief.get(page))
    assert "20190000001" in shown
    assert "库余额为负" in shown
    assert chief.post(f"{page}start/").url == page
    press_on(chief, page)
    assert (fine.fresh().life, debt.fresh().life) == ("closing", "open")
    assert "没有办理的" in plain(chief.get(page))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "x"}, "请选择名单文件"),
        ({"name": "", "year": "2026"}, "请填写批次名称"),
        ({"name": "x", "year": "26"}, "离校年份应为四位数字"),
        ({"name": "x", "year": "2031"}, "没有符合条件"),
        ({"name": "x", "file": SimpleUploadedFile("a.csv", b"")}, "文件是空的"),
        ({"name": "x", "file": SimpleUploadedFile("a.csv", csv(("12345",), header=("学号",)))}, "第 2 行"),
    ],
)
def test_a_list_that_cannot_be_made_makes_none(chief, fields, said):
    answer = chief.post(f"{HOME}closings/new/", fields | {"key": uuid.uuid4()})

    assert answer.status_code in (400, 409)
    assert said in plain(answer)
    assert not ClosingBatch.objects.exists()
