"""What the webhooks of each product point to, by payloads as the products document them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.hooks.payloads import REASON_UNREADABLE, targets_of
from shared.errors import PermanentError

OCI = "application/vnd.oci.image.manifest.v1+json"
DIGEST = "sha256:" + "a" * 64


def distribution(action: str, **target: Any) -> dict[str, Any]:
    return {
        "id": "320678d8-ca14-430f-8bb6-4ca139cd83f7",
        "timestamp": "2026-03-09T14:44:26.402973972-08:00",
        "action": action,
        "target": target,
        "request": {"id": "6df24a34", "addr": "192.168.64.11:42961", "host": "r:5000", "method": "PUT"},
        "actor": {},
        "source": {"addr": "xtal.local:5000", "instanceID": "a53db899-3b4b-4a62-a067-8dd013beaca4"},
    }


def events(*all_of: dict[str, Any]) -> dict[str, Any]:
    return {"events": list(all_of)}


PUSHED = distribution("push", mediaType=OCI, size=708, digest=DIGEST, repository="team/app", tag="1.0")

HARBOR = {
    "type": "PUSH_ARTIFACT",
    "occur_at": 1586922308,
    "operator": "admin",
    "event_data": {
        "resources": [
            {"digest": DIGEST, "tag": "latest", "resource_url": "hub.example.com/team/app:latest"},
            {"digest": DIGEST, "tag": DIGEST, "resource_url": f"hub.example.com/team/app@{DIGEST}"},
        ],
        "repository": {"name": "app", "namespace": "team", "repo_full_name": "team/app", "repo_type": "private"},
    },
}
HARBOR_CLOUD = {
    "specversion": "1.0",
    "id": "4b2f89a6-548d-4c12-9993-a1f5790b97d2",
    "source": "/projects/1/webhook/policies/3",
    "type": "harbor.artifact.pushed",
    "data": HARBOR["event_data"],
}
NEXUS = {
    "timestamp": "2026-11-10T23:57:49.664+0000",
    "nodeId": "52905B51",
    "initiator": "admin/127.0.0.1",
    "repositoryName": "docker-hosted",
    "action": "CREATED",
    "component": {"id": "08909bf0", "componentId": "bnB", "format": "docker", "name": "team/app", "version": "1.0"},
}
ARTIFACTORY = {
    "domain": "docker",
    "event_type": "pushed",
    "data": {
        "repo_key": "docker-local",
        "path": "team/app/1.0/manifest.json",
        "name": "manifest.json",
        "sha256": "a" * 64,
        "size": 100,
        "image_name": "team/app",
        "tag": "1.0",
        "platforms": [],
    },
    "subscription_key": "test",
    "source": "jfrog/admin",
}
QUAY = {
    "name": "app",
    "repository": "team/app",
    "namespace": "team",
    "docker_url": "quay.io/team/app",
    "homepage": "https://quay.io/repository/team/app",
    "updated_tags": ["latest", "1.0"],
}
DOCKER_HUB = {
    "callback_url": "https://registry.example.com/u/team/app/hook/2/",
    "push_data": {"pushed_at": 1417566161, "pusher": "team", "tag": "latest", "images": []},
    "repository": {"repo_name": "team/app", "namespace": "team", "name": "app"},
}
ACR = {
    "id": "cb8c3971-9adc-488b-xxxx-43cbb4974ff5",
    "timestamp": "2026-11-17T16:52:01.343145347Z",
    "action": "push",
    "target": {"mediaType": OCI, "size": 524, "digest": DIGEST, "length": 524, "repository": "team/app", "tag": "v1"},
    "request": {"id": "3cbb6949", "host": "r.azurecr.io", "method": "PUT", "useragent": "docker"},
}


@pytest.mark.parametrize(
    ("payload", "targets"),
    [
        (events(PUSHED), [("team/app", "1.0")]),
        (events(PUSHED, PUSHED, PUSHED), [("team/app", "1.0")]),
        (events(distribution("push", mediaType=OCI, digest=DIGEST, repository="team/app")), []),
        (events(distribution("push", mediaType="application/octet-stream", repository="a", tag="x")), []),
        (events(distribution("pull", mediaType=OCI, repository="team/app", tag="1.0")), []),
        (events(distribution("mount", mediaType=OCI, repository="a", tag="1", fromRepository="b")), [("a", "1")]),
        (events(distribution("delete", repository="team/app", tag="1.0")), [("team/app", "1.0")]),
        (events(distribution("delete", repository="team/app", digest=DIGEST)), [("team/app", None)]),
        (events(distribution("delete", repository="team/app")), [("team/app", None)]),
        (
            events(distribution("rename", repository="a", rename={"type": "name", "from": "a", "to": "b"})),
            [("a", None), ("b", None)],
        ),
        (HARBOR, [("team/app", "latest")]),
        (HARBOR_CLOUD, [("team/app", "latest")]),
        ({**HARBOR, "type": "DELETE_ARTIFACT"}, [("team/app", None)]),
        ({**HARBOR, "type": "PULL_ARTIFACT"}, []),
        (NEXUS, [("docker-hosted/team/app", "1.0")]),
        ({**NEXUS, "action": "DELETED"}, [("docker-hosted/team/app", "1.0")]),
        ({**NEXUS, "component": {"format": "npm", "name": "left-pad", "version": "1"}}, []),
        ({"repositoryName": "docker-hosted", "action": "PURGED", "components": ["a", "b"]}, []),
        (ARTIFACTORY, [("docker-local/team/app", "1.0")]),
        ({**ARTIFACTORY, "event_type": "deleted"}, [("docker-local/team/app", "1.0")]),
        ({"domain": "docker", "event_type": "pushed", "repo_key": "k", "image_name": "i", "tag": "t"}, [("k/i", "t")]),
        ({**ARTIFACTORY, "event_type": "cached"}, []),
        (QUAY, [("team/app", "latest"), ("team/app", "1.0")]),
        ({**QUAY, "updated_tags": []}, [("team/app", None)]),
        (DOCKER_HUB, [("team/app", "latest")]),
        (ACR, [("team/app", "v1")]),
        ({**ACR, "action": "delete", "target": {"digest": DIGEST, "repository": "team/app"}}, [("team/app", None)]),
    ],
)
def test_a_payload_points_to_what_it_tells_of(payload: dict[str, Any], targets: list[tuple[str, str | None]]) -> None:
    assert targets_of(json.dumps(payload).encode()) == targets


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"{}", b'{"zen": "Approachable is better than simple."}'])
def test_what_is_no_hook_of_a_registry_is_refused_with_those_there_are(body: bytes) -> None:
    with pytest.raises(PermanentError, match="Send those of Distribution, Harbor") as refused:
        targets_of(body)
    assert refused.value.reason == REASON_UNREADABLE


def test_names_that_are_none_are_passed_over_and_the_rest_is_taken() -> None:
    bad = [
        distribution("push", mediaType=OCI, repository=repository, tag=tag)
        for repository, tag in (("", "1"), ("a\n", "1"), (7, "1"), ("a", "\x00"), ("x" * 2000, "1"), (None, "1"))
    ]
    assert targets_of(json.dumps(events(*bad, PUSHED)).encode()) == [("team/app", "1.0")]


def test_a_flood_in_one_hook_is_cut() -> None:
    many = [distribution("push", mediaType=OCI, repository="a", tag=str(number)) for number in range(5000)]
    assert len(targets_of(json.dumps(events(*many)).encode())) == 500


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_SIGNS = st.sampled_from(
    ["events", "event_data", "type", "repositoryName", "action", "domain", "updated_tags", "push_data", "target"]
)


@given(st.dictionaries(_SIGNS, _JSON, min_size=1), st.sampled_from(["", "docker"]))
def test_whatever_is_sent_is_read_or_refused(document: dict[str, Any], domain: str) -> None:
    told = {**document, "domain": domain} if domain else document
    repositories, reason = [], REASON_UNREADABLE
    try:
        repositories = [repository for repository, _ in targets_of(json.dumps(told).encode())]
    except PermanentError as error:
        reason = error.reason
    assert reason == REASON_UNREADABLE
    assert [repository for repository in repositories if not isinstance(repository, str)] == []
