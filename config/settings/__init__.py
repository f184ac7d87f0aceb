"""Composition root: every setting, read from the environment, with defaults that need no server.

A value that cannot be read raises and names its variable (`config.environment`). Where
`DATABASE_URL` or `CELERY_BROKER_URL` are not set, the embedded servers' sockets are used; starting
them is `manage.py`'s business, never this module's.
"""

# ruff: noqa: F403 - Django reads them all from here, in the order of docs/settings.md
# isort: off
from config import environment
from config.settings.running import *
from config.settings.pages import *
from config.settings.connections import *
from config.settings.files import *
from config.settings.pictures import *
from config.settings.limits import *
from config.settings.training import *
from config.settings.safety import *
from config.settings.signing_in import *
from config.settings.mail import *
from config.settings.api import *
from config.settings.tasks import *
from config.settings.watching import *

environment.check_names()
