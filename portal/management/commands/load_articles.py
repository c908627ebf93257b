"""`load_articles`: put the articles that come with the project into the site, where they are not there yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from accounts.wiring import now
from portal.models import Article

CONTENT = Path(__file__).parents[2] / "content"


class Command(BaseCommand):
    """What staff have changed, or taken down, stays as they left it."""

    help = "Add the articles of portal/content that the site does not have yet (by their slug)."

    def handle(self, *args: Any, **options: Any) -> None:
        """One file an article and language: ``faq/10-top-up-cash.zh.md``; the first lines are ``title:`` and others."""
        known = set(Article.objects.values_list("slug", flat=True))
        made = [article for article in _shipped() if article.slug not in known]
        for article in made:
            article.published_at = article.updated_at = now()
        Article.objects.bulk_create(made)
        self.stdout.write(f"{len(made)} 篇文章")


def _shipped() -> list[Article]:
    return [_article(path) for path in sorted(CONTENT.glob("*/*.zh.md"))]


def _article(path: Path) -> Article:
    place, _dash, slug = path.name.removesuffix(".zh.md").partition("-")
    chinese, english = _read(path), _read(path.with_name(path.name.replace(".zh.md", ".en.md")))
    return Article(
        column=path.parent.name,
        topic=chinese[0].get("topic", ""),
        slug=slug,
        place=int(place),
        title_zh=chinese[0]["title"],
        body_zh=chinese[1],
        title_en=english[0]["title"],
        body_en=english[1],
    )


def _read(path: Path) -> tuple[dict[str, str], str]:
    """The lines before the first empty one, and the rest."""
    head, _empty, body = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), body.strip()
