"""The WSGI application, for any server; its threads share a pool of database connections."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DATABASE_POOL", "1")

application = get_wsgi_application()

from config import announcement, start  # noqa: E402 - models can be imported by now

start.check("web")
announcement.announce()
