"""How often something that dies may be started again."""

import time
from dataclasses import dataclass, field

LIMIT = 3
PERIOD = 60.0  # seconds in which something may be restarted that often


@dataclass
class Restarts:
    """The restarts of one process."""

    times: list[float] = field(default_factory=list)

    def allow_another(self) -> bool:
        """Count one more restart, unless there were too many lately."""
        now = time.monotonic()
        self.times = [restart for restart in self.times if restart > now - PERIOD]
        if len(self.times) >= LIMIT:
            return False
        self.times.append(now)
        return True
