"""Find what was tried at the door of one operator among the logins of thirty thousand holders."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_job_runs")]

    operations = [
        migrations.AddIndex(
            model_name="loginrecord",
            index=models.Index(
                condition=models.Q(("subject__startswith", "operator:")),
                fields=["subject", "at"],
                name="login_of_staff",
            ),
        ),
    ]
