"""Who is handed triggers beside their topic: webhooks, and a scanner adapter.

A delivery is a message of its own, tried again and dead-lettered by the worker loop of all stages; replaying its dead
letter (`tallyman dead-letters replay`) delivers it again, under the same id.
"""
