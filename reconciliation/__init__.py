"""Card against book: comparing, freezing, levelling, cases, day close, and the commands that cron runs."""
