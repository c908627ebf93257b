"""A closed day gets no entry (L7): which days are shut, and the one way to shut one.

Shutting waits for whoever is posting at that moment and lets nobody begin meanwhile, for as long as one row takes. So
every entry of the day is there when the day is shut, and none can come afterwards.
"""

from __future__ import annotations

from django.db import migrations, models

# The application may not lock the ledger, so this runs as its owner; all it can do is shut days that are over.
SHUT = [
    """
    CREATE FUNCTION transactions_shut_day(wanted date) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF wanted >= (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date THEN
            RAISE EXCEPTION 'day % is not over', wanted USING ERRCODE = 'check_violation', CONSTRAINT = 'shut_day_is_over';
        END IF;
        PERFORM 1 FROM transactions_shutday WHERE day = wanted;
        IF FOUND THEN
            RETURN false;
        END IF;
        LOCK TABLE ONLY transactions_entry IN SHARE ROW EXCLUSIVE MODE;
        INSERT INTO transactions_shutday (day, shut_at) VALUES (wanted, clock_timestamp());
        RETURN true;
    END $$
    """,
    "REVOKE ALL ON FUNCTION transactions_shut_day(date) FROM public",
    "GRANT EXECUTE ON FUNCTION transactions_shut_day(date) TO ecard_app",
    "GRANT SELECT ON transactions_shutday TO ecard_app",
    *(
        f"CREATE TRIGGER shutday_{name} BEFORE {events} ON transactions_shutday "
        f"FOR EACH {each} EXECUTE FUNCTION transactions_refuse_change()"
        for name, events, each in (
            ("append_only", "UPDATE OR DELETE", "ROW"),
            ("no_truncate", "TRUNCATE", "STATEMENT"),
        )
    ),
]

OPEN = [
    "DROP TRIGGER shutday_no_truncate ON transactions_shutday",
    "DROP TRIGGER shutday_append_only ON transactions_shutday",
    "DROP FUNCTION transactions_shut_day(date)",
]

# A tap posts to today, which is never shut: the date is compared before any function is called.
REFUSE = [
    """
    CREATE FUNCTION transactions_refuse_shut_day() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM transactions_shutday WHERE day >= NEW.day;
        IF FOUND THEN
            RAISE EXCEPTION 'entry % of account % is for day %, which is shut', NEW.seq, NEW.account_id, NEW.day
                USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_day_is_open';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER entry_day_is_open BEFORE INSERT ON transactions_entry
        FOR EACH ROW WHEN (NEW.day < (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date)
        EXECUTE FUNCTION transactions_refuse_shut_day()
    """,
]

ALLOW = [
    "DROP TRIGGER entry_day_is_open ON transactions_entry",
    "DROP FUNCTION transactions_refuse_shut_day()",
]


class Migration(migrations.Migration):
    dependencies = [("transactions", "0003_levelling")]

    operations = [
        migrations.CreateModel(
            name="ShutDay",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("shut_at", models.DateTimeField()),
            ],
            options={"verbose_name": "已关闭日", "verbose_name_plural": "已关闭日"},
        ),
        migrations.RunSQL(SHUT, OPEN),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
