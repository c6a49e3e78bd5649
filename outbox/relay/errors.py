"""What can stop a relay, named for what `service.py` does about it."""

from runtime.errors import Retryable, StunityError


class StandBy(Retryable):
    """Another relay is at work. Wait, and take over when it is gone."""


class Fenced(StandBy):
    """Another relay has taken over: Redis refuses our number. Publish nothing more."""


class Moved(Retryable):
    """Redis does not stand where we left it. Start again from the confirmed position, skipping what is there."""


class SlotTakesLong(Retryable):
    """A slot waits for a transaction that stays open. Poll meanwhile, where the mode was left to us."""


class Stopping(StunityError):
    """Somebody asked the relay to stop while it was waiting for a store."""


class RelayInvariantBroken(StunityError):
    """What must never happen, happened: better no relay than one that guesses. Ends the process."""
