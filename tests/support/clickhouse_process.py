"""A ClickHouse server out of a shared library: `python clickhouse_process.py LIBRARY ARGUMENT…`, until stdin closes.

The library's one entry runs `clickhouse local`, whose SQL can start a listener; that is not documented, so it is for
tests only. Run as a process of its own: the engine ends with it, and with whoever holds the other end of stdin.
"""

import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
arguments = [b"clickhouse", *(argument.encode() for argument in sys.argv[2:])]
library.query_stable_v2.restype = ctypes.c_void_p
library.query_stable_v2(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))
