"""Starts a scan for each trigger, with Faust: prints what a scanner would be told.

TALLYMAN_KAFKA=127.0.0.1:9092 python examples/consumers/scans.py --quiet worker --without-web

Faust reads what is not committed, too, unless it is made not to: good for `scan.triggers`, whose records are sent one
by one, and wrong for `image.events`.
"""

import json
import os
import sys

import faust

prefix = os.environ.get("TALLYMAN_TOPIC_PREFIX", "")
app = faust.App(
    f"{prefix}faust-consumer",
    broker=f"kafka://{os.environ['TALLYMAN_KAFKA']}",
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
)
triggers = app.topic(
    f"{prefix}scan.triggers", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
)


@app.agent(triggers)
async def scan(stream: faust.StreamT) -> None:
    """Faust acknowledges an event whose agent raises, which loses it: so it is done by hand, and last."""
    stream = stream.noack()
    async for event in stream.events():
        start_scan(event.headers["ce_id"].decode(), json.loads(event.value))
        await stream.ack(event)


def start_scan(trigger_id: str, image: dict) -> None:
    """Start a scan; called again with the same id after a crash."""
    platform = image["platform"]
    told = trigger_id, image["reference"], f"{platform['os']}/{platform['architecture']}"
    print(*told, file=sys.__stdout__, flush=True)  # Faust makes log lines of what is printed elsewhere


if __name__ == "__main__":
    app.main()
