"""How Celery reaches its broker: which kinds there are, and how long anybody waits for one.

A request that sends a message to a broker that hangs waits twice at most: on the connection that it
has, and for a new one (`labeling.enqueue`).
"""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

REDIS = {"redis", "rediss", "redis+socket"}
RABBITMQ = {"amqp", "amqps", "pyamqp"}
PATIENCE = 2  # seconds for the broker to take a connection, or to answer


def checked(url: str) -> str:
    """Return the URL of a broker, or several of RabbitMQs with semicolons between them.

    Raises ImproperlyConfigured for another kind of broker.
    """
    schemes = {urlsplit(each).scheme for each in url.split(";")}
    if schemes <= RABBITMQ or (schemes <= REDIS and ";" not in url):
        return url
    if schemes & {"sentinel", "rediss+sentinel", "redis-cluster"}:
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL: Redis Sentinel and Redis Cluster are not supported. Name an address"
            " that always leads to the primary, as redis://HOST:6379/0, or use RabbitMQ."
        )
    raise ImproperlyConfigured(
        "CELERY_BROKER_URL must begin with redis:// or rediss:// (Redis or Valkey), or with amqp://"
        " or amqps:// (RabbitMQ)."
    )


def transport_options(url: str) -> dict[str, Any]:
    """Return what the connection to a broker of that URL is told."""
    if urlsplit(url).scheme in RABBITMQ:
        return {"max_retries": 1, "interval_start": 0}
    return {
        "max_retries": 1,
        "interval_start": 0,
        "socket_timeout": PATIENCE,
        "socket_connect_timeout": PATIENCE,
        "visibility_timeout": 3600,
        "unacked_restore_interval": 10,
    }
