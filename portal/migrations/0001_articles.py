"""What the public site says. Nothing is deleted: an article is taken down by its time."""

import django.db.models.functions.datetime
from django.db import migrations, models

GRANTS = ["GRANT SELECT, INSERT, UPDATE ON portal_article TO ecard_app"]
NO_GRANTS = ["REVOKE ALL ON portal_article FROM ecard_app"]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Article",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "column",
                    models.TextField(
                        choices=[
                            ("news", "最新消息"),
                            ("guide", "使用指南"),
                            ("faq", "答问精华"),
                            ("rules", "相关规定"),
                        ],
                        verbose_name="栏目",
                    ),
                ),
                (
                    "topic",
                    models.TextField(
                        blank=True,
                        choices=[
                            ("", "—"),
                            ("top_up", "充值"),
                            ("spending", "消费"),
                            ("freezing", "冻结"),
                            ("loss", "挂失"),
                            ("passwords", "密码"),
                            ("bank_card", "银行卡"),
                        ],
                        default="",
                        verbose_name="答问分类",
                    ),
                ),
                (
                    "slug",
                    models.SlugField(
                        help_text="小写字母、数字和连字符", max_length=60, unique=True, verbose_name="网址名"
                    ),
                ),
                ("title_zh", models.CharField(max_length=60, verbose_name="标题")),
                (
                    "title_en",
                    models.CharField(blank=True, default="", max_length=120, verbose_name="英文标题"),
                ),
                (
                    "body_zh",
                    models.TextField(
                        help_text="Markdown；不能用 HTML 和图片", max_length=20000, verbose_name="正文"
                    ),
                ),
                (
                    "body_en",
                    models.TextField(blank=True, default="", max_length=40000, verbose_name="英文正文"),
                ),
                (
                    "place",
                    models.SmallIntegerField(
                        default=100, help_text="小的在前；消息按时间排列，不看它", verbose_name="排序"
                    ),
                ),
                (
                    "published_at",
                    models.DateTimeField(
                        blank=True, help_text="空着是草稿", null=True, verbose_name="发布时间"
                    ),
                ),
                ("hidden_at", models.DateTimeField(blank=True, null=True, verbose_name="下架时间")),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="最后修改"
                    ),
                ),
            ],
            options={
                "verbose_name": "文章",
                "verbose_name_plural": "文章",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("column__in", ["news", "guide", "faq", "rules"])),
                        name="article_column_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("column", "faq"),
                                (
                                    "topic__in",
                                    ["top_up", "spending", "freezing", "loss", "passwords", "bank_card"],
                                ),
                            ),
                            models.Q(models.Q(("column", "faq"), _negated=True), ("topic", "")),
                            _connector="OR",
                        ),
                        name="article_topic_of_answers",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("hidden_at__isnull", True),
                            models.Q(
                                ("published_at__isnull", False), ("published_at__lt", models.F("hidden_at"))
                            ),
                            _connector="OR",
                        ),
                        name="article_hidden_after_published",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GRANTS, NO_GRANTS),
    ]
