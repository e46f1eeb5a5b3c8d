"""How the embedded broker is set: one node that is broker and controller, on two free ports of loopback."""

import secrets
import socket
from typing import Final

from shared.pipeline.topics import MAX_MESSAGE_BYTES

# Below the range from which systems take ports for outgoing connections: none of ours can sit on the broker's port
# while it restarts, least of all one that connects to itself.
_PORTS: Final = range(20_000, 32_000)
_TRIES: Final = 200

JVM: Final = ("-Xmx384m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED")
"""What its class-data archives depend on."""

JVM_BROKER: Final = (
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.io.tmpdir=tmp",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)

# Paths are relative to the broker's folder, so that no character in a folder's name needs escaping.
# A year of offsets: a group that is not run for a week must not start over. Small indexes: they are allocated whole.
_TEMPLATE: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=logs
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.retention.minutes=525600
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes={max_message}
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
log.index.size.max.bytes=262144
num.network.threads=2
num.io.threads=4
"""


def properties(broker: int, controller: int) -> str:
    """Return the text of server.properties for these two ports."""
    return _TEMPLATE.format(broker=broker, controller=controller, max_message=MAX_MESSAGE_BYTES)


def free_ports() -> tuple[int, int]:
    """Return two ports of loopback that nobody listens on right now. Raises OSError when hardly any is free."""
    found: set[int] = set()
    for _ in range(_TRIES):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.add(port)
        if len(found) == 2:
            return found.pop(), found.pop()
    raise OSError("no free port of 127.0.0.1 between 20000 and 32000")
