"""Where processes of one machine meet: a store that nobody beyond the loopback interface reaches.

torchrun's own meeting place listens on all interfaces, asks for no password, and unpickles what it
is told: whoever reached its port while a run trains could run code here.
"""

import os
import socket
from datetime import timedelta
from typing import Any

from torch import distributed
from torch.distributed.elastic.rendezvous import (
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    rendezvous_handler_registry,
)

BACKEND = "loopback"  # by which `LaunchConfig` names it
HOST = "127.0.0.1"
TIMEOUT = timedelta(minutes=5)
_stores: Any = distributed  # whose types do not name them


class LoopbackRendezvous(RendezvousHandler):
    """Lets one agent, whose processes are all of this machine, begin at once."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._server = _store()

    def get_backend(self) -> str:
        return BACKEND

    @property
    def use_agent_store(self) -> bool:
        return True

    def next_rendezvous(self) -> RendezvousInfo:
        """Return the store, and the agent as the only one."""
        address = RendezvousStoreInfo(HOST, self._server.port)
        return RendezvousInfo(_stores.PrefixStore(self._run_id, self._server), 0, 1, address)

    def is_closed(self) -> bool:
        return False

    def set_closed(self) -> None:
        """Do nothing: no other agent is to be told."""

    def num_nodes_waiting(self) -> int:
        return 0

    def get_run_id(self) -> str:
        return self._run_id

    def shutdown(self) -> bool:
        return True


def register() -> None:
    """Let `LaunchConfig` know the name of it."""
    rendezvous_handler_registry.register(BACKEND, _create)


def _create(parameters: RendezvousParameters) -> RendezvousHandler:
    return LoopbackRendezvous(parameters.run_id)


def _store() -> Any:
    """Return a store that serves on a free port of the loopback interface."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        return _stores.TCPStore(
            HOST,
            listener.getsockname()[1],
            is_master=True,
            timeout=TIMEOUT,
            wait_for_workers=False,
            master_listen_fd=os.dup(listener.fileno()),  # which the store closes
        )
