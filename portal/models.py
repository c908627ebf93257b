"""What the public site says: news, guide, answers and rules, written by staff in the back office."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Column(models.TextChoices):
    """The four columns of the site (guide L115)."""

    NEWS = "news", _("最新消息")
    GUIDE = "guide", _("使用指南")
    FAQ = "faq", _("答问精华")
    RULES = "rules", _("相关规定")


class Topic(models.TextChoices):
    """What an answer is about; the other columns have none."""

    NONE = "", "—"
    TOP_UP = "top_up", _("充值")
    SPENDING = "spending", _("消费")
    FREEZING = "freezing", pgettext_lazy("topic", "冻结")
    LOSS = "loss", pgettext_lazy("topic", "挂失")
    PASSWORDS = "passwords", _("密码")
    BANK_CARD = "bank_card", _("银行卡")


class Article(models.Model):
    """One article. A draft has no ``published_at``; one in the future waits for its time."""

    column = models.TextField(_("栏目"), choices=Column)
    topic = models.TextField(_("答问分类"), choices=Topic, default=Topic.NONE, blank=True)
    slug = models.SlugField(_("网址名"), unique=True, max_length=60, help_text=_("小写字母、数字和连字符"))
    title_zh = models.CharField(_("标题"), max_length=60)
    title_en = models.CharField(_("英文标题"), max_length=120, default="", blank=True)
    body_zh = models.TextField(_("正文"), max_length=20_000, help_text=_("Markdown；不能用 HTML 和图片"))
    body_en = models.TextField(_("英文正文"), max_length=40_000, default="", blank=True)
    place = models.SmallIntegerField(_("排序"), default=100, help_text=_("小的在前；消息按时间排列，不看它"))
    published_at = models.DateTimeField(_("发布时间"), null=True, blank=True, help_text=_("空着是草稿"))
    hidden_at = models.DateTimeField(_("下架时间"), null=True, blank=True)
    updated_at = models.DateTimeField(_("最后修改"), db_default=Now())

    class Meta:
        verbose_name = _("文章")
        verbose_name_plural = _("文章")
        constraints = [
            models.CheckConstraint(name="article_column_known", condition=Q(column__in=Column.values)),
            models.CheckConstraint(
                name="article_topic_of_answers",
                condition=Q(column=Column.FAQ, topic__in=[topic for topic in Topic.values if topic])
                | (~Q(column=Column.FAQ) & Q(topic=Topic.NONE)),
            ),
            models.CheckConstraint(
                name="article_hidden_after_published",
                condition=Q(hidden_at__isnull=True)
                | Q(published_at__isnull=False, published_at__lt=models.F("hidden_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.title_zh
