"""Seen from the registry: no more requests in any second than max RPS, no more connections than allowed, and no less.

Real service processes, three a stage, load registries that only count; what they counted is kept as JSON lines and
judged by `judge`.
"""
