"""The columns of the site: a list, an article, answers under their topics, and a search over all."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.wiring import now
from portal import articles
from portal.models import Column

SEARCH_MAX = 60


@require_safe
def column(request: HttpRequest, column: str) -> HttpResponse:
    """Everything of one column; the answers stand on one page, under their topics."""
    which = Column(column)
    pages = articles.published(which, now=now())
    context = {"column": which, "pages": pages, "topics": articles.by_topic(pages)}
    template = "faq" if which is Column.FAQ else "column"
    return render(request, f"portal/articles/{template}.html", context)


@require_safe
def article(request: HttpRequest, column: str, slug: str) -> HttpResponse:
    """One article; a draft, or one whose time is over, is not there."""
    page = articles.one(Column(column), slug, now=now())
    if page is None:
        raise Http404
    return shown(request, page)


def shown(request: HttpRequest, page: articles.Page, *, draft: str = "") -> HttpResponse:
    """The page of an article; ``draft`` says in which state it is, where it is only looked at."""
    context = {
        "column": page.column,
        "column_url": reverse(f"portal:{page.column}"),
        "page": page,
        "draft": draft,
    }
    return render(request, "portal/articles/article.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Articles with every word of the question."""
    asked = request.GET.get("q", "").replace("\0", "").strip()
    too_long = len(asked) > SEARCH_MAX
    pages = [] if too_long else articles.find(asked, now=now())
    context = {"asked": asked[:SEARCH_MAX], "pages": pages, "too_long": too_long}
    return render(request, "portal/articles/search.html", context, status=400 if too_long else 200)
