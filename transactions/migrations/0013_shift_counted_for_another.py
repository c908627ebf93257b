"""A supervisor counts the drawer of somebody who cannot any more, with a reason; a third person accepts it (K06, K07)."""

from __future__ import annotations

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

_RULES = import_module("transactions.migrations.0012_accepted_by_another").RULES
_BY_ANOTHER = """AND (accounts_same_person(NEW.accepted_by_id, NEW.officer_id)
                    OR accounts_same_person(NEW.accepted_by_id, NEW.closed_by_id)) THEN"""
_CHANGES = (
    ("NEW.difference_fen, NEW.reason)", "NEW.difference_fen, NEW.reason, NEW.closed_by_id)"),
    (
        "OLD.difference_fen,\n                    OLD.reason)",
        "OLD.difference_fen,\n                    OLD.reason, OLD.closed_by_id)",
    ),
    (
        "AND accounts_same_person(NEW.accepted_by_id, NEW.officer_id) THEN",
        _BY_ANOTHER,
    ),
)


def _changed(text: str) -> str:
    for former, wanted in _CHANGES:
        if text.count(former) != 1:
            raise ValueError(f"the rules of a shift do not say once: {former}")
        text = text.replace(former, wanted)
    return text


RULES = _changed(_RULES)


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("transactions", "0012_accepted_by_another"),
    ]

    operations = [
        migrations.AddField(
            model_name="shift",
            name="closed_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="shifts_closed",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="shift",
            constraint=models.CheckConstraint(
                name="shift_counted_for_another",
                condition=Q(closed_by__isnull=True)
                | Q(closed_at__isnull=False) & ~Q(closed_by=F("officer")) & ~Q(reason=""),
            ),
        ),
        migrations.RunSQL(RULES, _RULES),
    ]
