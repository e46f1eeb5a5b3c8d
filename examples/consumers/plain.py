"""Acts on each image that is discovered: prints how to pull it. A crash repeats at most what was not committed.

TALLYMAN_KAFKA=127.0.0.1:9092 python examples/consumers/plain.py
"""

import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer


async def main() -> None:
    prefix = os.environ.get("TALLYMAN_TOPIC_PREFIX", "")
    consumer = AIOKafkaConsumer(
        f"{prefix}image.events",
        bootstrap_servers=os.environ["TALLYMAN_KAFKA"],
        group_id=f"{prefix}plain-consumer",
        isolation_level="read_committed",  # else it would see what was taken back
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        async for record in consumer:
            attributes = {name: value.decode() for name, value in record.headers}
            if attributes.get("ce_type") == "dev.tallyman.image.discovered":
                act_on(attributes["ce_id"], json.loads(record.value))
            await consumer.commit()  # only now: what was not acted on comes again


def act_on(event_id: str, image: dict) -> None:
    """Do what is to be done for an image; called again with the same id after a crash."""
    platform = image["platform"]
    print(event_id, image["reference"], f"{platform['os']}/{platform['architecture']}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
