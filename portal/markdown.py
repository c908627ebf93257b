"""Markdown as the site shows it: CommonMark and tables. HTML and pictures are not markup here but text."""

from __future__ import annotations

from functools import cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt


@cache
def _writer() -> MarkdownIt:
    return (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .disable(["image", "html_block", "html_inline"])
    )


def render(text: str) -> SafeString:
    """HTML that can hold nothing but what the writer of Markdown makes: it escapes all text and knows no raw HTML.

    Links of dangerous kinds (``javascript:``) stay text. Headings begin at the second level, below the title's.
    """
    tokens = _writer().parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    html: str = _writer().renderer.render(tokens, _writer().options, {})
    return mark_safe(html)  # noqa: S308 - see above
