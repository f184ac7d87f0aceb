"""A real server with a project of its own, a site and its secret, and what its pictures show."""

import json
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from PIL import Image as Pillow
from PIL import ImageDraw

from tests.captcha_clients.children import running
from tests.captcha_clients.clients import GOOGLES, NET, OURS, WWW_NET
from tests.pictures import encoded, patchwork

SHOP = "shop.example"
NAMES = [OURS, GOOGLES, NET, WWW_NET]  # of the server: some are constants of clients
PORT = 8000
PICTURES = 96
OPEN = 16  # of them, of unknown truth
SIDE = 128  # pixels


@dataclass(frozen=True)
class Captcha:
    """What a shop's owner has of the server: a key and a secret; and another site's secret."""

    key: str
    secret: str
    wrong_secret: str
    context: ssl.SSLContext

    def response(self, action: str = "") -> str:
        """Pass, as the frame of a page does; return what it would hand over."""
        origin = urlencode({"k": self.key, "origin": f"https://{SHOP}"})
        page = self._ask(f"/captcha/frame?{origin}").decode()
        (config,) = re.findall(r'id="captcha-config"[^>]*>(.*?)</script>', page, re.DOTALL)
        begin = {"ticket": json.loads(unescape(config))["ticket"], "door": "grid"}
        attempt = json.loads(
            self._ask("/captcha/attempts/", begin | ({"action": action} if action else {}))
        )
        answers = f"/captcha/attempts/{attempt['attempt']}/answers/"
        for number in (1, 2):
            sent = {"round": number, "selected": look(number)}
            answered: dict[str, Any] = json.loads(self._ask(answers, sent))
            if answered["outcome"] == "passed":
                return str(answered["response"])
        raise ValueError(f"The right answers were not enough: {answered}")

    def _ask(self, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = Request(f"https://{OURS}{path}", data, headers)
        with urlopen(request, context=self.context) as answer:
            found: bytes = answer.read()
        return found


def look(number: int) -> list[int]:
    """Return the numbers of the right tiles in a round of the last attempt.

    The attempt is dated back, as if its visitor had looked at them for a while.
    """
    from labeling.models import Concept, Tile

    attempt = _last_attempt()
    if not attempt.concepts:
        raise ValueError(f"The attempt is no grid: {attempt}.")
    concept = Concept.objects.get(pk=attempt.concepts[number - 1])
    first = slice(attempt.first_round) if number == 1 else slice(attempt.first_round, None)
    shown = attempt.tiles[first]
    right = Tile.objects.filter(pk__in=shown, image__source__contains=concept.name)
    found = set(right.values_list("pk", flat=True))
    _date_back(attempt)
    return [place for place, tile in enumerate(shown, 1) if tile in found]


def is_answered(number: int) -> bool:
    """Whether a round of the last attempt was answered."""
    return len(_last_attempt().round_seconds) >= number


def is_passed() -> bool:
    """Whether the last attempt passed."""
    return bool(_last_attempt().state == "passed")


def _last_attempt() -> Any:
    from labeling.models import Attempt

    return Attempt.objects.latest("expires_at")  # which is not dated back


def _date_back(attempt: Any) -> None:
    """Let an attempt have begun, and been answered, two seconds before."""
    attempt.created_at -= timedelta(seconds=2)
    if attempt.answered_at:
        attempt.answered_at -= timedelta(seconds=20)
    attempt.save(update_fields=["created_at", "answered_at"])


def configure(data_dir: Path) -> None:
    """Set what the server reads from its environment."""
    os.environ |= {
        "ALLOWED_HOSTS": ",".join(NAMES),
        "CAPTCHA_ADDRESS_RATE": "10000",
        "DATA_DIR": str(data_dir),
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright runs an event loop in this thread
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "HTTPS": "1",
        "PROXIES": "1",
    }
    for name in ("DATABASE_URL", "CACHE_URL", "CELERY_BROKER_URL"):
        os.environ.pop(name, None)


def make_sites() -> tuple[str, str, str]:
    """Make a project and two sites; return the key and the secret of one, the other's secret."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    from labeling.captcha import sites
    from labeling.models import Project

    ada = User.objects.create_superuser("ada")
    project = Project.objects.create(state="open", slug="shapes", name="Shapes")
    _ask_about_shapes(project)
    site, secret = sites.create(project=project, by=ada, name="Shop", hosts=[SHOP])
    _, wrong_secret = sites.create(project=project, by=ada, name="Other", hosts=["other.example"])
    return site.key, secret, wrong_secret


@contextmanager
def serving() -> Iterator[None]:
    """Answer requests as the product does."""
    with socket.create_server(("127.0.0.1", PORT)) as listener:
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "config.web", str(listener.fileno())]
        with running(command, environment=os.environ, port=PORT, fds=(listener.fileno(),)):
            yield


def _ask_about_shapes(project: Any) -> None:
    """Store discs and boxes on patchwork, and ask which is which; most are known."""
    from labeling import images, pools, questions
    from labeling.images import duplicates
    from labeling.models import Concept

    prepare = images.preparer()
    new_images = [
        images.NewImage(picture=prepare(_draw(shape, seed)), source=f"{shape} {seed}.png")
        for seed, shape in enumerate(["disc", "box"] * (PICTURES // 2))
    ]
    stored = images.add_many(
        project=project,
        new_images=new_images,
        duplicate_index=duplicates.DuplicateIndex(project),
    )
    concepts = [
        Concept.objects.create(project=project, name=name, phrase=f"a {name}", prevalence=0.5)
        for name in ("disc", "box")
    ]
    gold = {
        (image.tile.pk, concept.pk): concept.name in image.tile.image.source
        for image in stored[OPEN:]
        for concept in concepts
    }
    questions.ask_concepts(tiles=[image.tile for image in stored], concepts=concepts, gold=gold)
    pools.fill_project(project)


def _draw(shape: str, seed: int) -> bytes:
    image: Pillow.Image = patchwork(seed, (SIDE, SIDE))
    brush = ImageDraw.Draw(image)
    left, top = seed * 7 % (SIDE // 2), seed * 11 % (SIDE // 2)
    box = (left, top, left + SIDE // 2, top + SIDE // 2)
    (brush.ellipse if shape == "disc" else brush.rectangle)(box, "white", "black", 4)
    return encoded(image, "PNG")
