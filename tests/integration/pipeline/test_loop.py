"""How a process of ours is set up before its loop runs."""

import subprocess
import sys

import pytest

_MAPPED = """
import ctypes
from shared.pipeline.loop import run_loop

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

class Told(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]

libc.mallinfo2.restype = Told

async def main():
    libc.free(libc.malloc(8_000_000))
    before = libc.mallinfo2().hblkhd
    kept = libc.malloc(1_000_000)
    print(libc.mallinfo2().hblkhd - before >= 1_000_000)

run_loop(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells of glibc")
def test_after_a_large_block_was_freed_the_next_one_is_still_the_systems_own() -> None:
    ran = subprocess.run([sys.executable, "-c", _MAPPED], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
