"""The door of the web server. Refuses to serve with unsafe settings: no command ran the checks before it."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from ecard.lifetime import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecard.settings")
os.environ.pop("ECARD_COMMAND", None)  # `manage.py demo` becomes a web server
end_with_parent()
application = get_wsgi_application()

from ecard.checks import refuse_unsafe_settings  # noqa: E402 (needs Django to be set up)

refuse_unsafe_settings()
