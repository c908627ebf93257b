"""Reads of the site's articles, for the language of the reader; what is not published now is not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from portal.markdown import render
from portal.models import Article, Column, Topic

LATEST = 5
"""So many of each column on the home page (screens.md 6.1)."""
FOUND_MAX = 30
NEWS_PAGE = 20


@dataclass(frozen=True, slots=True)
class Page:
    """One article for one reader. ``foreign`` says that there is no translation, and this is the Chinese."""

    column: Column
    topic: Topic
    slug: str
    title: str
    body: str
    published_at: datetime | None
    updated_at: datetime
    foreign: bool

    @property
    def url(self) -> str:
        """Where it is read."""
        return reverse(f"portal:{self.column}_article", args=[self.slug])

    @property
    def html(self) -> SafeString:
        """The body, written out."""
        return render(self.body)


def published(column: Column, *, now: datetime) -> list[Page]:
    """A column in its order: news by time, the newest first, the others as they were placed. One statement."""
    order = ("-published_at", "-pk") if column is Column.NEWS else ("topic", "place", "pk")
    return [page_of(article) for article in _live(now).filter(column=column).order_by(*order)[:200]]


def latest(*, now: datetime) -> dict[Column, list[Page]]:
    """The first of each column, for the home page. One statement."""
    columns: dict[Column, list[Page]] = {column: [] for column in Column}
    rows = _live(now).defer("body_zh", "body_en").order_by("-published_at", "-pk")
    news = [row for row in rows if row.column == Column.NEWS]
    rest = sorted((row for row in rows if row.column != Column.NEWS), key=lambda row: (row.place, row.pk))
    for row in [*news, *rest]:
        if len(columns[Column(row.column)]) < LATEST:
            columns[Column(row.column)].append(_head(row))
    return columns


def one(column: Column, slug: str, *, now: datetime) -> Page | None:
    """An article by its name, or None where there is none now."""
    found = _live(now).filter(column=column, slug=slug).first()
    return page_of(found) if found else None


def find(words: str, *, now: datetime) -> list[Page]:
    """Articles that have every word, in either language; those with one in the title first. One statement."""
    wanted = words.split()[:6]
    found = _live(now)
    for word in wanted:
        found = found.filter(
            Q(title_zh__icontains=word)
            | Q(title_en__icontains=word)
            | Q(body_zh__icontains=word)
            | Q(body_en__icontains=word)
        )
    pages = (
        [page_of(article) for article in found.order_by("column", "place", "pk")[:FOUND_MAX]]
        if wanted
        else []
    )
    return sorted(pages, key=lambda page: not _any(wanted, page.title))


def by_topic(pages: Iterable[Page]) -> list[tuple[Topic, list[Page]]]:
    """Answers under their topics, in the order of the topics."""
    listed = list(pages)
    groups = [(topic, [page for page in listed if page.topic is topic]) for topic in Topic]
    return [(topic, found) for topic, found in groups if found]


def page_of(article: Article) -> Page:
    """An article as a reader of the present language gets it, whether it is published or not."""
    english = (get_language() or "").startswith("en")
    translated = english and article.title_en and article.body_en
    return Page(
        column=Column(article.column),
        topic=Topic(article.topic),
        slug=article.slug,
        title=article.title_en if translated else article.title_zh,
        body=article.body_en if translated else article.body_zh,
        published_at=article.published_at,
        updated_at=article.updated_at,
        foreign=english and not translated,
    )


def _head(article: Article) -> Page:
    english = (get_language() or "").startswith("en") and article.title_en
    title = article.title_en if english else article.title_zh
    return Page(
        *(Column(article.column), Topic(article.topic), article.slug, title, "", article.published_at),
        *(article.updated_at, False),
    )


def _live(now: datetime) -> QuerySet[Article]:
    return Article.objects.filter(published_at__lte=now).filter(
        Q(hidden_at__isnull=True) | Q(hidden_at__gt=now)
    )


def _any(words: list[str], title: str) -> bool:
    return any(word.lower() in title.lower() for word in words)
