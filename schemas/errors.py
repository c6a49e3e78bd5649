"""What can be wrong with an event. A consumer turns these into a Rejection; nothing here is worth a second try."""


class EventError(Exception):
    """Root of the errors about events."""


class MalformedEvent(EventError):
    """A stream entry or a payload that cannot be read as what it says it is."""


class UnknownEvent(EventError):
    """An event type or version that this release has no model for."""


class IncompatibleSchema(EventError):
    """A change of a published event schema that would break a reader or an old event."""
