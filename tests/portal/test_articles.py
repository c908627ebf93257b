"""The site's four columns: what is shipped, what is published when, what Markdown may do, and who may write."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone, translation

from accounts.models import OperatorRole
from portal import articles
from portal.markdown import render
from portal.models import Article, Column, Topic
from tests.counter.pages import browser_of
from tests.portal.conftest import text_of
from tests.reconciliation.desk import operator

NOW = timezone.now()


def write(slug: str = "one", **fields) -> Article:
    fields = {
        "column": Column.NEWS,
        "title_zh": "停机通知",
        "body_zh": "今晚停机。",
        "published_at": NOW,
    } | fields
    return Article.objects.create(slug=slug, **fields)


@pytest.fixture
def shipped(db) -> int:
    call_command("load_articles", stdout=StringIO())
    return Article.objects.count()


def test_the_guide_is_there_in_both_languages_under_all_six_topics(shipped, client):
    assert shipped >= 25
    assert not Article.objects.filter(title_en="").exists()
    assert [topic for topic, _ in articles.by_topic(articles.published(Column.FAQ, now=timezone.now()))] == [
        topic for topic in Topic if topic
    ]
    page = text_of(client.get("/faq/"))
    assert "怎样正确刷卡" in page
    assert "一声“嘀”" in page
    assert "80 元、库里 28 元" in page
    client.post("/i18n/setlang/", {"language": "en", "next": "/faq/"})
    assert "How do I tap the card properly?" in text_of(client.get("/faq/"))


def test_loading_twice_adds_nothing_and_changes_nothing(shipped):
    Article.objects.filter(slug="how-to-tap").update(
        body_zh="改过的", hidden_at=timezone.now() + timedelta(days=1)
    )

    call_command("load_articles", stdout=StringIO())

    assert Article.objects.count() == shipped
    assert Article.objects.get(slug="how-to-tap").body_zh == "改过的"


@pytest.mark.parametrize(
    ("published", "hidden", "seen"),
    [
        (None, None, False),
        (timedelta(0), None, True),
        (timedelta(seconds=1), None, False),
        (timedelta(days=-2), timedelta(0), False),
        (timedelta(days=-2), timedelta(seconds=1), True),
    ],
)
def test_an_article_is_there_from_its_time_to_its_end(db, published, hidden, seen):
    write(
        published_at=None if published is None else NOW + published,
        hidden_at=None if hidden is None else NOW + hidden,
    )

    assert (articles.one(Column.NEWS, "one", now=NOW) is not None) is seen
    assert bool(articles.published(Column.NEWS, now=NOW)) is seen
    assert bool(articles.latest(now=NOW)[Column.NEWS]) is seen
    assert bool(articles.find("停机", now=NOW)) is seen


def test_home_shows_five_of_each_the_newest_news_first(db, client):
    for number in range(7):
        write(f"n{number}", title_zh=f"消息{number}", published_at=NOW - timedelta(days=number))
        write(f"g{number}", column=Column.GUIDE, title_zh=f"指南{number}", place=number)

    latest = articles.latest(now=timezone.now())

    assert [page.title for page in latest[Column.NEWS]] == [f"消息{number}" for number in range(5)]
    assert [page.title for page in latest[Column.GUIDE]] == [f"指南{number}" for number in range(5)]
    page = text_of(client.get("/"))
    assert "消息4" in page
    assert "消息5" not in page
    assert "暂无消息" in page  # two columns are empty


def test_without_a_translation_the_chinese_is_shown_and_marked(db, client):
    write()
    client.post("/i18n/setlang/", {"language": "en", "next": "/"})

    page = text_of(client.get("/news/one/"))

    assert 'lang="zh-hans"' in page
    assert "停机通知" in page


def test_every_word_must_be_found_and_titles_come_first(db):
    write("a", title_zh="怎样充值", body_zh="食堂")
    write("b", title_zh="食堂时间", body_zh="充值点在食堂")
    write("c", title_zh="无关", body_zh="别的", title_en="Top up", body_en="In canteens")

    assert [page.slug for page in articles.find("充值", now=timezone.now())] == ["a", "b"]
    assert [page.slug for page in articles.find("食堂", now=timezone.now())] == ["b", "a"]
    assert [page.slug for page in articles.find("食堂  时间", now=timezone.now())] == ["b"]
    with translation.override("en"):
        assert [page.title for page in articles.find("CANTEENS", now=timezone.now())] == ["Top up"]
    assert articles.find("", now=timezone.now()) == []


@pytest.mark.parametrize(
    "question", ["", "%", "_", "'; DROP TABLE portal_article; --", "\0", "<b>", "{{7*7}}"]
)
def test_search_takes_any_question(shipped, client, question):
    answer = client.get("/search/", {"q": question})

    assert answer.status_code == 200
    assert "<b>" not in text_of(answer).replace("<b></b>", "")
    assert "49" not in text_of(answer)[:500]


def test_sixty_characters_may_be_asked_for_and_no_more(db, client):
    assert client.get("/search/", {"q": "卡" * 60}).status_code == 200
    assert client.get("/search/", {"q": "卡" * 61}).status_code == 400
    assert "没有找到" in text_of(client.get("/search/", {"q": "卡"}))


class Marks(HTMLParser):
    """Which tags and attributes a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(attrs)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("<script>alert(1)</script>", {"p"}),
        ("<img src=x onerror=alert(1)>", {"p"}),
        ("<a href='https://elsewhere.example' style='x'>y</a>", {"p"}),
        ("[x](javascript:alert(1))", {"p"}),
        ("[x](data:text/html,<script>)", {"p"}),
        ("![x](https://elsewhere.example/p.png)", {"p", "a"}),
        ("`<b>`", {"p", "code"}),
        ('[x](/faq/ "title\\" onclick=\\"x")', {"p", "a"}),
    ],
)
def test_markdown_makes_nothing_but_markdown(text, tags):
    seen = Marks(render(text))

    assert seen.tags == tags
    assert {name for name, _ in seen.attributes} <= {"href", "title"}


def test_headings_stay_below_the_title_and_links_work():
    html = render("# 一\n\n###### 六\n\n[表](/faq/)\n\n| a | b |\n|---|---|\n| 1 | 2 |")

    assert "<h2>一</h2>" in html
    assert "<h6>六</h6>" in html
    assert '<a href="/faq/">表</a>' in html
    assert "<table>" in html


@pytest.mark.parametrize("fields", [
    {"column": "gossip"}, {"topic": Topic.LOSS}, {"column": Column.FAQ}, {"column": Column.FAQ, "topic": "x"},
    {"hidden_at": NOW}, {"published_at": None, "hidden_at": NOW},
])  # fmt: skip
def test_the_database_refuses_what_the_form_refuses(db, fields):
    with pytest.raises(IntegrityError):
        write(**fields)


def form(**fields) -> dict[str, str]:
    return {
        "column": "news", "topic": "", "slug": "stop", "title_zh": "停机", "body_zh": "**今晚**", "title_en": "",
        "body_en": "", "place": "100", "published_at_0": "", "published_at_1": "", "hidden_at_0": "", "hidden_at_1": "",
    } | fields  # fmt: skip


@pytest.fixture
def writer(db):
    person = operator("writer", OperatorRole.ADMIN)
    type(person).objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
    return browser_of(person)


def test_a_draft_is_written_previewed_and_published_at_its_time(writer, client):
    assert writer.post("/admin/portal/article/add/", form()).status_code == 302
    draft = Article.objects.get(slug="stop")
    assert client.get("/news/stop/").status_code == 404
    preview = text_of(writer.get(f"/admin/portal/article/{draft.pk}/preview/"))
    assert "<strong>今晚</strong>" in preview
    assert "草稿" in preview

    change = f"/admin/portal/article/{draft.pk}/change/"
    assert (
        writer.post(change, form(published_at_0="2026-01-01", published_at_1="08:00:00")).status_code == 302
    )

    assert client.get("/news/stop/").status_code == 200
    assert writer.post(f"/admin/portal/article/{draft.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"topic": "loss"}, "其他栏目不选"),
        ({"column": "faq"}, "答问精华要选分类"),
        ({"title_en": "Stop"}, "英文标题和英文正文"),
        ({"hidden_at_0": "2026-01-01", "hidden_at_1": "08:00:00"}, "下架时间要在发布时间之后"),
        ({"slug": "a b"}, "slug"),
        ({"title_zh": ""}, "title_zh"),
    ],
)
def test_the_form_says_what_is_wrong_and_writes_nothing(writer, fields, says):
    answer = writer.post("/admin/portal/article/add/", form(**fields))

    assert answer.status_code == 200
    assert says in text_of(answer)
    assert not Article.objects.exists()


def test_a_cashier_with_a_back_office_right_writes_no_articles(db):
    person = operator("cash", OperatorRole.CASHIER)
    type(person).objects.filter(pk=person.pk).update(is_staff=True)

    assert browser_of(person).get("/admin/portal/article/add/").status_code == 403
