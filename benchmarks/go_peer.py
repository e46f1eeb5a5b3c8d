"""The program of benchmarks/peer, built where Go is installed: how a good Go program reads the same registry."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("peer")
_BUILT: Final = _SOURCE.parents[1] / ".cache" / "peer"
GOROUTINES: Final = 64


def built_peer() -> Path | None:
    """Return the built program, None where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    subprocess.run([go, "build", "-o", _BUILT, "."], cwd=_SOURCE, check=True)
    return _BUILT
