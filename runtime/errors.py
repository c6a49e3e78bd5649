"""The errors that callers must tell apart, named for what the caller should do.

Stores translate their clients' exceptions into these two; the consumer runner and the relay act on nothing else.
"""


class StunityError(Exception):
    """Root of the project's own errors."""


class Retryable(StunityError):
    """The same call may succeed later: a store is down, slow, full or read-only. Wait and try again."""


class Permanent(StunityError):
    """The same call will fail for ever: set the event aside and tell somebody."""


class ConfigurationError(StunityError):
    """A setting or a service is missing. The message says in one line what to do."""
