"""Harbor: repositories and artifacts by its own API, which tells digests, platforms and tags a hundred at a time.

Reading by the API, a HEAD or a 304 has no side effect; a manifest GET is a pull to Harbor, and bumps "last pulled".
Source: Harbor, api/v2.0/swagger.yaml; src/pkg/artifact/dao/dao.go (`q=base=*` shows the members of indexes too);
src/controller/artifact/processor/image/manifest_v2.go (what `extra_attrs` holds); src/server/middleware/cosign.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import Field, TypeAdapter

from shared.errors import TallymanError
from shared.messages.images_observed import ObservedChild, ObservedManifest
from shared.messages.tags_found import FoundTag
from shared.oci.digest import Digest
from shared.oci.documents import Text, moment
from shared.oci.manifest import is_cosign_tag
from shared.oci.media_types import ATTESTATION_REFERENCE, IMAGE_MANIFESTS, INDEXES
from shared.oci.platform import Platform
from shared.registry.answer import Answer
from shared.registry.client import FetchedManifest, RegistryClient, Unchanged
from shared.registry.dialect import RepositoriesPage, Signs, TagsPage
from shared.registry.errors import CursorLost, Forbidden, ManifestGone, RepositoryGone
from shared.registry.names import check_names
from shared.registry.pagination import cursor_lost
from shared.registry.plan import Plan, Size, Step, pages
from shared.registry.product_api import ApiMissing, Part, ProductApi, read_as
from shared.registry.session import Session

_NAME: Final = "Harbor"
_PER_PAGE: Final = 100
"""The most that Harbor gives at once."""
_COSIGN: Final = "signature.cosign"
_UNKNOWN: Final = frozenset({"", "unknown"})

T = TypeVar("T", bound=Part)


class _Repository(Part):
    """name: with its project."""

    name: str


class _Told(Part):
    """`extra_attrs` of an image: of its config."""

    os: Text | None = None
    architecture: Text | None = None
    created: Any = None


class _TellsPlatform(Part):
    os: Text = ""
    architecture: Text = ""
    variant: Text = ""
    os_version: Text = Field("", alias="os.version")


class _Reference(Part):
    """A member of an index."""

    child_digest: Digest
    platform: _TellsPlatform | None = None
    annotations: dict[str, Any] | None = None


class _Tag(Part):
    name: str
    push_time: Any = None


class _Accessory(Part):
    digest: Digest
    type: str = ""


class _Artifact(Part):
    """An image, an index or anything else.  type: IMAGE where the config's media type is an image's."""

    digest: Digest
    type: str = ""
    manifest_media_type: str = ""
    extra_attrs: _Told | None = None
    references: tuple[_Reference, ...] | None = Field(None, strict=False)
    tags: tuple[_Tag, ...] | None = Field(None, strict=False)
    accessories: tuple[_Accessory, ...] | None = Field(None, strict=False)


_REPOSITORIES: Final = TypeAdapter(list[_Repository])
_ARTIFACTS: Final = TypeAdapter(list[_Artifact])


def dialect(session: Session) -> "Harbor":
    """Return the registry as Harbor."""
    return Harbor(session)


async def recognised(signs: Signs) -> str | None:
    """Return why this is Harbor: its token service has a name of its own."""
    challenge = signs.root.headers.get("www-authenticate", "")
    if 'service="harbor-registry"' in challenge or 'realm="harbor"' in challenge:
        return "its challenge names the service harbor-registry"
    return None


class Harbor:
    """A whole Harbor; repositories are named project/repository."""

    def __init__(self, session: Session) -> None:
        self._session: Final = session
        self._api: Final = ProductApi(session, f"{session.connection.host}/api/v2.0")
        self._client: Final = RegistryClient(session, f"{session.connection.host}/v2/")

    async def repositories(self, cursor: str | None = None) -> AsyncGenerator[RepositoriesPage, None]:
        """Yield the repositories of all projects that the account sees; needs no right to the catalog."""
        what = "its repositories"
        found = await self._all("/repositories", what, (("sort", "name"),), _REPOSITORIES, lambda found: found.name)
        yield RepositoriesPage(names=check_names(self._api.host, (repository.name for repository in found)))

    async def tags(self, repository: str, cursor: str | None = None) -> TagsPage:
        """Return all tags of a repository with what is told of their images.

        An account that may pull, but not list artifacts, is told the names alone, by Registry V2.
        """
        if cursor is not None:
            return await self._plain_tags(repository, cursor)
        project, _, name = repository.partition("/")
        path = f"/projects/{quote(project, safe='')}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts"
        query = (("q", "base=*"), ("sort", "push_time"), ("with_tag", "true"), ("with_accessory", "true"))
        what = f"the artifacts of {repository}"
        try:
            found = await self._all(path, what, query, _ARTIFACTS, lambda artifact: artifact.digest)
        except Forbidden:
            return await self._plain_tags(repository, None)
        except ApiMissing as error:
            raise _gone(self._api.host, repository) if "NOT_FOUND" in error.codes else error from error
        tags = tuple(sorted(_tags(found), key=lambda tag: tag.name))
        check_names(self._api.host, (tag.name for tag in tags))
        return TagsPage(tags, told=tuple(_facts(found)))

    async def image(self, repository: str, tag: FoundTag) -> tuple[ObservedManifest, ...]:
        """Return nothing more than the listing told; raises ManifestGone for a signature that has no tag.

        Harbor shows a signature as an accessory, whether it was pushed under cosign's tag or refers to its subject
        without one. A HEAD tells, and is no pull.
        """
        if tag.name.startswith("sha256-") and tag.name.endswith(".sig"):
            for _ in range(2):
                if await self._client.head(repository, tag.name):
                    return ()
            raise ManifestGone(f"{self._api.host} has no tag {tag.name} in {repository}.", reason="manifest_gone")
        return ()

    async def manifest(
        self, repository: str, reference: str, known: Digest | None = None
    ) -> FetchedManifest | Unchanged:
        return await self._client.manifest(repository, reference, known)

    async def config(self, repository: str, digest: Digest) -> bytes:
        return await self._client.config(repository, digest)

    async def plan(self, size: Size) -> Plan:
        artifacts = max(size.repositories, pages(size.tags, _PER_PAGE))
        repositories = pages(size.repositories, _PER_PAGE)
        steps = (
            Step("lister", "its list of repositories", "it shows all that the account sees", repositories),
            Step("tagger", "artifacts, a hundred a page", "they tell digests, platforms and tags at once", artifacts),
            Step("manifester", "new artifacts that are no images", "all else is told, and a GET counts as a pull", 0),
        )
        return Plan(_NAME, "the connection says so", steps)

    async def close(self) -> None:
        await self._session.close()

    async def _plain_tags(self, repository: str, cursor: str | None) -> TagsPage:
        page = await self._client.tags(repository, cursor)
        return TagsPage(tuple(FoundTag(name=name) for name in page.names), page.cursor)

    async def _all(
        self,
        path: str,
        what: str,
        query: tuple[tuple[str, str], ...],
        kind: TypeAdapter[list[T]],
        key: Callable[[T], str],
    ) -> list[T]:
        """Return all entries of a list in numbered pages; read once more where it changed meanwhile.

        Raises CursorLost where it changed again.
        """
        try:
            return await self._once(path, what, query, kind, key)
        except CursorLost:
            return await self._once(path, what, query, kind, key)

    async def _once(
        self,
        path: str,
        what: str,
        query: tuple[tuple[str, str], ...],
        kind: TypeAdapter[list[T]],
        key: Callable[[T], str],
    ) -> list[T]:
        found: dict[str, T] = {}
        first: int | None = None
        number = 0
        while first is None or number * self._per_page < first:
            number += 1
            paged = (*query, ("page", str(number)), ("page_size", str(self._per_page)))
            answer = await self._api.get(path, what, paged)
            entries = read_as(kind, answer, what)
            total = _total(answer, what, len(entries) < self._per_page and number == 1, len(entries))
            if number > self._session.most_pages or (first is not None and total != first):
                raise cursor_lost(self._api.host)
            first = total
            found.update((key(entry), entry) for entry in entries)
        if len(found) != first:
            raise cursor_lost(self._api.host)
        return list(found.values())

    @property
    def _per_page(self) -> int:
        return min(_PER_PAGE, self._session.connection.page_size)


def _total(answer: Answer, what: str, is_all: bool, given: int) -> int:
    """Return how many entries the list has.

    is_all: a first page that is not full, which needs no number to be known as the only one.
    Raises AnswerUnusable where nothing tells whether more follow.
    """
    told = answer.headers.get("x-total-count", "")
    if told.isascii() and told.isdigit():
        return int(told)
    if is_all:
        return given
    raise answer.unusable(what, "a page of a list, and without X-Total-Count")


def _gone(host: str, repository: str) -> TallymanError:
    return RepositoryGone(f"{host} no longer has {repository}. Nothing is to be done.", reason="repository_gone")


def _tags(artifacts: Iterable[_Artifact]) -> list[FoundTag]:
    """Return the tags of the artifacts, and those under which cosign puts its signatures."""
    tags = []
    for artifact in artifacts:
        tags += [
            FoundTag(name=tag.name, digest=artifact.digest, created=moment(tag.push_time))
            for tag in artifact.tags or ()
        ]
        tags += [
            FoundTag(name=f"sha256-{artifact.digest.hex}.sig", digest=accessory.digest)
            for accessory in artifact.accessories or ()
            if accessory.type == _COSIGN
        ]
    return tags


def _facts(artifacts: list[_Artifact]) -> Iterable[ObservedManifest]:
    """Yield the facts of images, and of indexes all of whose members are told images."""
    platforms = _platforms(artifacts)
    images = {artifact.digest: image for artifact in artifacts if (image := _image(artifact, platforms))}
    yield from images.values()
    for artifact in artifacts:
        members = [member for member in artifact.references or () if not _is_attestation(member)]
        if artifact.manifest_media_type in INDEXES and all(member.child_digest in images for member in members):
            children = dict.fromkeys(member.child_digest for member in members)
            yield ObservedManifest(
                digest=artifact.digest,
                kind="index",
                media_type=artifact.manifest_media_type,
                children=tuple(ObservedChild(digest=child, platform=images[child].platform) for child in children),
            )


def _platforms(artifacts: Iterable[_Artifact]) -> dict[Digest, Platform]:
    """Return the platforms that indexes tell of their members, with the variants that images do not tell."""
    return {
        member.child_digest: Platform(**member.platform.model_dump())
        for artifact in artifacts
        for member in artifact.references or ()
        if member.platform and member.platform.architecture not in _UNKNOWN
    }


def _image(artifact: _Artifact, platforms: Mapping[Digest, Platform]) -> ObservedManifest | None:
    """Return the image, None where this is none or does not tell its platform (as a signature's empty config)."""
    told = artifact.extra_attrs or _Told()
    known = not {told.os or "", told.architecture or ""} & _UNKNOWN
    signature = any(is_cosign_tag(tag.name) for tag in artifact.tags or ())
    if artifact.type != "IMAGE" or artifact.manifest_media_type not in IMAGE_MANIFESTS or signature or not known:
        return None
    own = Platform(os=told.os or "", architecture=told.architecture or "")
    return ObservedManifest(
        digest=artifact.digest,
        kind="image",
        media_type=artifact.manifest_media_type,
        platform=platforms.get(artifact.digest, own),
        created=moment(told.created),
    )


def _is_attestation(member: _Reference) -> bool:
    """Tell whether the member describes another one. Source: BuildKit, Attestation storage."""
    unknown = member.platform is not None and member.platform.os == member.platform.architecture == "unknown"
    return unknown or ATTESTATION_REFERENCE in (member.annotations or {})
