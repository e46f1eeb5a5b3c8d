"""HTTP/1.1 as registries need it: one connection, one request at a time, every moment of it told.

Why our own (README Decisions): a budget that holds has to know the tick in which a request is written and the sockets
that are open, and what libraries cost beside was most of a load's CPU. The parsing is llhttp's (httptools).
"""
