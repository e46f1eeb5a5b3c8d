"""`tallyman trigger`: a scan of an image asked for by hand."""

import json
import sys

from shared.settings import Settings
from tallyman.api import open_api


async def trigger(settings: Settings, digest: str, *, as_json: bool) -> int:
    """Ask for the scan of an image, or of all members of an index; return 0."""
    async with open_api(settings) as api:
        asked = await api.send("POST", "/triggers", {"digest": digest})
    if as_json:
        sys.stdout.write(json.dumps(asked) + "\n")
        return 0
    for one in asked:
        sys.stdout.write(f"Asked for the scan of {one['platform'] or 'an untold platform'}: {one['reference']}\n")
    return 0
