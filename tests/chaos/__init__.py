"""Everything dies while a registry with a known content is loaded; what was told has to be the truth all the same.

`make chaos SEED=7` runs it: services as processes, a real broker, a real ClickHouse over HTTP, a real registry behind
a proxy that injects faults. What happened is kept as JSON lines; `judge` reads them, and nothing else.
"""
