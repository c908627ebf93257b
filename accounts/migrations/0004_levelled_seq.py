"""Up to which spend sequence of a card a levelling stands in for records that had not come (tap-protocol.md)."""

from __future__ import annotations

from django.db import migrations, models

# A tap never names the column, so the trigger costs it nothing (docs/decisions/0013).
NEVER_DOWN = [
    """
    CREATE FUNCTION accounts_card_levelled() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.levelled_seq < OLD.levelled_seq THEN
            PERFORM accounts_break('card_levelled_never_down', 'card ' || NEW.id);
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER card_levelled BEFORE UPDATE OF levelled_seq ON accounts_card
        FOR EACH ROW EXECUTE FUNCTION accounts_card_levelled()
    """,
]
MAY_GO_DOWN = ["DROP TRIGGER card_levelled ON accounts_card", "DROP FUNCTION accounts_card_levelled()"]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_hot_rules")]

    operations = [
        migrations.AddField("card", "levelled_seq", models.IntegerField(db_default=0, default=0)),
        migrations.RunSQL(NEVER_DOWN, MAY_GO_DOWN),
    ]
