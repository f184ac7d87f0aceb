"""How Celery reaches its broker: which kinds there are, and how long anybody waits for one.

A request that sends a message to a broker that hangs waits on the connection that it has and for a
new one, three times in all at most, and then for no broker for a while (`labeling.enqueue`).
"""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

REDIS = {"redis", "rediss", "redis+socket"}
RABBITMQ = {"amqp", "amqps", "pyamqp"}
CONNECT_SECONDS = 2  # for a RabbitMQ to take a connection; it is sent messages without an answer
ANSWER_SECONDS = 1  # for a Redis to take a connection, or to answer


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
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "visibility_timeout": 3600,
        "unacked_restore_interval": 10,
    }
