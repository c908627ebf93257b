"""An entry whose account was advanced to it a moment ago, in the same transaction, need not ask again at COMMIT.

``ecard.counted`` is what ``transactions_sell`` says as it advances the account; a rollback takes both back. Every other
entry is asked for as before.
"""

from __future__ import annotations

from django.db import migrations

SKIP_WHAT_IS_COUNTED = [
    "DROP TRIGGER entry_stands ON transactions_entry",
    """
    CREATE CONSTRAINT TRIGGER entry_stands AFTER INSERT ON transactions_entry
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (current_setting('ecard.counted', true) IS DISTINCT FROM NEW.id::text)
        EXECUTE FUNCTION transactions_entry_stands()
    """,
]

ASK_ALWAYS = [
    "DROP TRIGGER entry_stands ON transactions_entry",
    """
    CREATE CONSTRAINT TRIGGER entry_stands AFTER INSERT ON transactions_entry
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION transactions_entry_stands()
    """,
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0005_plain_sale")]

    operations = [migrations.RunSQL(SKIP_WHAT_IS_COUNTED, ASK_ALWAYS)]
