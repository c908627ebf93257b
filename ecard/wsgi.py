"""The door of the web server. Refuses to serve with unsafe settings: no command ran the checks before it."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application

from ecard.lifetime import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecard.settings")
os.environ.pop("ECARD_COMMAND", None)  # `manage.py demo` becomes a web server
end_with_parent()
site = get_wsgi_application()

from ecard.checks import refuse_unsafe_settings  # noqa: E402 (these need Django to be set up)
from terminals.api.entrance import Entrance  # noqa: E402
from terminals.urls import urlpatterns  # noqa: E402

refuse_unsafe_settings()
gc.collect()
gc.freeze()  # what is loaded now stays: no need to look through it for garbage again and again
application = Entrance(site, prefix="/api/terminal/v1/", patterns=urlpatterns)
