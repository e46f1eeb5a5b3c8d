"""The trigger: images that come up are sent to be scanned, each once, whoever holds it.

Consumes `image.events`.
Does: passes over what a connection's policy for the first load leaves out, puts the rest together by digest, and
emits a trigger for each digest and platform that has none yet, at most so many a second. At least once, one id for
each digest and platform. Beside the topic it hands triggers to webhooks and to a scanner adapter.
Produces `scan.triggers`; within itself `trigger.wanted` and `delivery.requested`.
Keyed by digest.
"""
