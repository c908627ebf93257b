"""Writing the site's articles, in the back office: the only thing that can be changed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.kinds import OperatorRole
from accounts.wiring import now
from portal import articles
from portal.models import Article, Column, Topic
from portal.views.articles import shown

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Article]
    _ModelForm = forms.ModelForm[Article]
else:
    _ModelAdmin, _ModelForm = admin.ModelAdmin, forms.ModelForm

WRITERS = (OperatorRole.ADMIN, OperatorRole.SUPERVISOR, OperatorRole.CLERK)


class ArticleForm(_ModelForm):
    """Both titles and bodies, the topic only where there is one."""

    class Meta:
        model = Article
        fields = (
            *("column", "topic", "slug", "title_zh", "body_zh", "title_en", "body_en", "place"),
            *("published_at", "hidden_at"),
        )

    def clean(self) -> dict[str, Any]:
        """Say at its field what the database would refuse."""
        cleaned = super().clean() or {}
        if (cleaned.get("column") == Column.FAQ) != bool(cleaned.get("topic")):
            self.add_error("topic", _("答问精华要选分类，其他栏目不选"))
        if bool(cleaned.get("title_en")) != bool(cleaned.get("body_en")):
            self.add_error("title_en", _("英文标题和英文正文要么都写，要么都不写"))
        start, end = cleaned.get("published_at"), cleaned.get("hidden_at")
        if end is not None and (start is None or end <= start):
            self.add_error("hidden_at", _("下架时间要在发布时间之后"))
        return cleaned


@admin.register(Article)
class ArticleAdmin(_ModelAdmin):
    """Drafts, schedules, previews. An article is taken down by its time, never deleted."""

    form = ArticleForm
    actions = None
    list_display = ("title_zh", "column", "topic_word", "state", "published_at", "updated_at")
    list_filter = ("column", "topic")
    search_fields = ("title_zh", "title_en", "body_zh", "body_en")
    ordering = ("column", "place", "pk")
    prepopulated_fields = {"slug": ("title_en",)}
    readonly_fields = ("preview_link",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return getattr(request.user, "role", None) in WRITERS

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        """Note when it was changed."""
        obj.updated_at = now()
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        """The preview beside Django's own pages."""
        view = self.admin_site.admin_view(self.preview)
        return [path("<int:article_id>/preview/", view, name="portal_article_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest, article_id: int) -> HttpResponse:
        """The article as readers will see it, published or not."""
        found = Article.objects.filter(pk=article_id).first()
        if found is None or not self.has_view_permission(request):
            raise Http404
        return shown(request, articles.page_of(found), draft=self.state(found))

    @admin.display(description=_("预览"))
    def preview_link(self, article: Article) -> str | SafeString:
        """A link to what was saved last."""
        if article.pk is None:
            return _("保存以后可以预览")
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:portal_article_preview", args=[article.pk]), _("预览")
        )

    @admin.display(description=_("答问分类"))
    def topic_word(self, article: Article) -> str:
        return str(Topic(article.topic).label)

    @admin.display(description=_("状态"))
    def state(self, article: Article) -> str:
        """Draft, waiting, published or taken down."""
        moment = now()
        if article.published_at is None:
            return str(_("草稿"))
        if article.published_at > moment:
            return str(_("待发布"))
        return str(_("已发布") if article.hidden_at is None or article.hidden_at > moment else _("已下架"))
