"""The relay's keys in Redis, and which partition an aggregate belongs to.

    <prefix>:epochs                     hash    epoch → number of partitions, of every epoch that is not closed
    <prefix>:<epoch>:<topic>:{<p>}      stream  entries as in schemas/wire.py, under explicit ids (position.py)
    <prefix>:<epoch>:relay:{<p>}        hash    fence     number of the relay that may write
                                                progress  position of the last entry of this partition
                                                marker    number of the last marker
                                                n:<topic> number of the last entry of that stream
                                                closed    the epoch that follows; nothing is written any more

The braces put everything that one script touches into one hash slot of a Redis Cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The names of one epoch."""

    prefix: str
    epoch: int
    topics: tuple[str, ...]

    def of(self, epoch: int) -> Keyspace:
        """The names of another epoch."""
        return Keyspace(self.prefix, epoch, self.topics)

    def stream(self, topic: str, partition: int) -> str:
        """The stream of a topic."""
        return f"{self.prefix}:{self.epoch}:{topic}:{{{partition}}}"

    def state(self, partition: int) -> str:
        """The relay's own hash of a partition."""
        return f"{self.prefix}:{self.epoch}:relay:{{{partition}}}"

    def keys(self, partition: int) -> list[str]:
        """What the scripts get as KEYS: the hash, then the streams in the order of the topics."""
        return [self.state(partition), *(self.stream(topic, partition) for topic in self.topics)]

    @property
    def registry(self) -> str:
        """The hash of all open epochs."""
        return f"{self.prefix}:epochs"


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of an aggregate: the same for ever within an epoch."""
    return crc32(key) % partitions
