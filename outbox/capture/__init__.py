"""Capture: upstream's own tables write the outbox, whoever writes to them and in whatever language.

`sources` says which columns of which tables become which events, `statements` turns that and the columns that are
really there into SQL, `install` puts it into the database without stopping anybody, `status` tells what stands.
After that nothing of Python is involved: the triggers work alone. What becomes of the rows is the relay's business.
"""

from outbox.capture.install import Outcome, State, install, remove, set_policy
from outbox.capture.status import Status, TableStatus, status

__all__ = ["Outcome", "State", "Status", "TableStatus", "install", "remove", "set_policy", "status"]
