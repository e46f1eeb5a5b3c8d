"""Known tags at registries and proxies that break."""

from shared.oci.digest import Digest
from tests.fakes.hostile_registry import HostileRegistry, Reply, Seen, reply_manifest
from tests.integration.registry.conftest import MakeClient


async def test_a_head_that_breaks_off_where_a_get_does_not_is_asked_no_more(
    hostile: HostileRegistry, make_client: MakeClient
) -> None:
    body = b'{"schemaVersion": 2}'
    methods: list[str] = []

    def answer(seen: Seen) -> Reply:
        methods.append(seen.method)
        return Reply(raw=b"") if seen.method == "HEAD" else reply_manifest(body)

    hostile.scripts["/v2/a/manifests/1"] = answer
    client = make_client(hostile.url)
    for _ in range(3):
        assert (await client.manifest("a", "1", Digest.of(body))).digest == Digest.of(body)
    assert methods[0] == "GET"  # its answer's lack of an entity tag says to ask by HEAD
    assert "HEAD" in methods
    assert methods[-2:] == ["GET", "GET"]
