"""Where a message lies: a registry owns a slot, and a repository of a sharded registry a partition from it on."""

from aiokafka.partitioner import murmur2

from shared.messages.images_observed import ImagesObserved
from shared.messages.model import Message, ScanContext
from shared.messages.repository_found import RepositoryFound
from shared.messages.scan_progressed import ScanProgressed
from shared.messages.scan_requested import ScanRequested
from shared.messages.tags_found import TagsFound


def key_of(message: Message) -> bytes:
    """Return the message's Kafka key: the registry's id, or `id/repository` where it is about one repository.

    Raises TypeError for a message that is not of the chain.
    """
    match message:
        case ScanRequested():
            return message.registry.encode()
        case ScanProgressed():
            return message.context.registry.encode()
        case RepositoryFound() | TagsFound() | ImagesObserved():
            return event_key(message.context, message.repository)
    raise TypeError(f"{type(message).__name__} lies on no topic of the chain")


def partition_of(message: Message) -> int:
    """Return the partition the message is sent to. Raises TypeError for a message that is not of the chain."""
    match message:
        case ScanRequested():
            return message.slot % message.partitions
        case ScanProgressed():
            return message.context.slot % message.context.partitions
        case RepositoryFound() | TagsFound() | ImagesObserved():
            return event_partition(message.context, message.repository)
    raise TypeError(f"{type(message).__name__} lies on no topic of the chain")


def event_key(context: ScanContext, repository: str) -> bytes:
    """Return the key of what is told about a repository, image events included."""
    return f"{context.registry}/{repository}".encode()


def event_partition(context: ScanContext, repository: str) -> int:
    """Return the partition of what is told about a repository, image events included.

    The hash is Kafka's own (murmur2, sign bit off), of the repository's name without the registry: with one shard
    the whole registry lies in its slot.
    """
    return repository_partition(context.slot, context.shards, context.partitions, repository)


def repository_partition(slot: int, shards: int, partitions: int, repository: str) -> int:
    """Return where what is told about a repository lies, by its registry's place."""
    shard = (murmur2(repository.encode()) & 0x7FFFFFFF) % shards
    return int(slot + shard) % partitions


def digest_partition(digest: bytes, partitions: int) -> int:
    """Return where all that is told of a digest lies, whichever registries hold it."""
    return int(murmur2(digest) & 0x7FFFFFFF) % partitions


def registry_partitions(slot: int, shards: int, partitions: int) -> frozenset[int]:
    """Return all partitions on which repositories of a registry may lie."""
    return frozenset((slot + shard) % partitions for shard in range(shards))
