"""A real registry, CNCF Distribution: in a container where a Docker engine answers, else Debian's docker-registry.

Its storage is a folder of the test's, so that tests fill it and take away from it where the API cannot.
"""

import gc
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
import pytest

from tests.support.certificates import Certificate, make_authority, make_server_certificate
from tests.support.prerequisites import PARTS, docker_answers, how_to_install
from tests.support.programs import find_program
from tests.support.token_service import ISSUER, SERVICE, TokenService

USERNAME: Final = "tester"
PASSWORD: Final = "correct horse"  # made up, of a registry that lives as long as the test
# `htpasswd -nbB -C 4 tester "correct horse"`: cost 4, since the registry checks it at every request.
_HTPASSWD: Final = "tester:$2y$04$EkK4HN5GeNjbBTXz7EEIxepooLUSFiicy5tbZdYkGEhSj1AsDaxoa\n"

_IMAGE: Final = "registry:2"
_START_SECONDS: Final = 15.0
_START_SECONDS_WITH_DOWNLOAD: Final = 180.0


@dataclass(frozen=True)
class Registry:
    """A running registry.

    url: scheme, host, port.  storage: its root directory, for `Storage`.  authority: the CA to trust, None for http.
    username, password: the right ones, empty where none are asked for.  tokens: of the Bearer variant.
    """

    url: str
    storage: Path
    authority: Certificate | None = None
    username: str = ""
    password: str = ""
    tokens: TokenService | None = None

    @property
    def ssl(self) -> ssl.SSLContext | bool:
        """What aiohttp takes as `ssl`: a context that trusts the registry's CA."""
        return ssl.create_default_context(cafile=self.authority.certificate_file) if self.authority else True

    def headers(self, *scopes: str) -> dict[str, str]:
        """Return the Authorization of the right user, for scopes as `repository:a/b:pull,push`."""
        if self.tokens:
            return {"Authorization": "Bearer " + self.tokens.issue(*scopes, username=self.username)}
        if self.username:
            return {"Authorization": aiohttp.encode_basic_auth(self.username, self.password)}
        return {}


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Make a folder in memory where the system has one for files, else on disk; it is gone when the block ends.

    An estate is a great many tiny files and directories: ten thousand tags take 2 seconds in memory, and on a busy
    disk 20.
    """
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="tallyman-", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@contextmanager
def running_registry(
    folder: Path,
    *,
    basic: bool = False,
    tls: bool = False,
    tokens: TokenService | None = None,
    hook: tuple[str, str] | None = None,
) -> Iterator[Registry]:
    """Run a registry with all it keeps in `folder`, until the block ends.

    basic: it asks for USERNAME and PASSWORD.  tls: https, with a CA of its own.  tokens: it asks for Bearer tokens
    of this service.  hook: an address and a secret: it sends its notifications there.
    Fails the test, saying what to install, where there is nothing to run it with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = make_authority(folder) if tls else None
    config = _config(folder, basic=basic, authority=authority, tokens=tokens)
    if hook:
        config["notifications"] = {"endpoints": [_endpoint(*hook)]}
    registry = Registry(
        url="",
        storage=folder / "data",
        authority=authority,
        username=USERNAME if basic or tokens else "",
        password=PASSWORD if basic or tokens else "",
        tokens=tokens,
    )
    registry.storage.mkdir(exist_ok=True)
    run = _in_container if _engine_answers() else _as_process
    with run(folder, config) as port:
        yield replace(registry, url=f"{'https' if tls else 'http'}://127.0.0.1:{port}")


@cache
def _engine_answers() -> bool:
    """Ask once. docker-py leaves the socket of a refused connection to the garbage collector, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        answers = docker_answers()
        gc.collect()
    return answers


def _config(folder: Path, *, basic: bool, authority: Certificate | None, tokens: TokenService | None) -> dict[str, Any]:
    """Return the configuration, the files that it names written."""
    http: dict[str, Any] = {"secret": "tests"}
    auth: dict[str, Any] = {}
    if authority:
        certificate = make_server_certificate(folder, authority)
        http["tls"] = {"certificate": str(certificate.certificate_file), "key": str(certificate.key_file)}
    if basic:
        (folder / "htpasswd").write_text(_HTPASSWD)
        auth["htpasswd"] = {"realm": "tests", "path": str(folder / "htpasswd")}
    if tokens:
        bundle = str(tokens.signer.certificate_file)
        auth["token"] = {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        # No blob cache: tests take blobs away behind the registry's back.
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
        "auth": auth,
    }


def _endpoint(url: str, secret: str) -> dict[str, Any]:
    """Return where notifications go. Source: Distribution, docs/about/notifications."""
    headers = {"Authorization": [f"Bearer {secret}"]}
    return {"name": "tests", "url": url, "headers": headers, "timeout": "2s", "threshold": 3, "backoff": "1s"}


@contextmanager
def _as_process(folder: Path, config: dict[str, Any]) -> Iterator[int]:
    program = find_program("docker-registry")
    if program is None:
        pytest.fail(how_to_install(part for part in PARTS if part.name == "docker-registry"), pytrace=False)
    process, port = _started(program, folder, config)
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(program: str, folder: Path, config: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process and its port; another port is tried when somebody took the free one in between."""
    log = folder / "registry.log"
    for _ in range(3):
        port = _free_port()
        file = _write_config(folder, config, f"127.0.0.1:{port}")
        with log.open("ab") as output:
            process = subprocess.Popen([program, "serve", str(file)], stdout=output, stderr=output, env={})
        if _answers(port, "tls" in config["http"], _START_SECONDS, process):
            return process, port
        process.kill()
        process.wait()
    pytest.fail(f"The registry did not start: {log.read_text()[-2000:]}", pytrace=False)


@contextmanager
def _in_container(folder: Path, config: dict[str, Any]) -> Iterator[int]:
    """Run the image with the folder at the same path inside, so that one configuration fits both ways."""
    from testcontainers.core.container import DockerContainer  # only where an engine is: it looks for one at import

    file = _write_config(folder, config, ":5000")
    owner = folder.stat()
    container = (
        DockerContainer(_IMAGE, user=f"{owner.st_uid}:{owner.st_gid}")
        .with_command(str(file))
        .with_volume_mapping(str(folder), str(folder), "rw")
        .with_exposed_ports(5000)
    )
    bundle = config["auth"].get("token", {}).get("rootcertbundle")
    if bundle:
        container = container.with_volume_mapping(bundle, bundle, "ro")
    with container:
        port = int(container.get_exposed_port(5000))
        if not _answers(port, "tls" in config["http"], _START_SECONDS_WITH_DOWNLOAD, None):
            pytest.fail(f"The registry's container did not start: {container.get_logs()}", pytrace=False)
        yield port


def _write_config(folder: Path, config: dict[str, Any], address: str) -> Path:
    """Write the configuration as JSON, which is YAML."""
    file = folder / "config.yml"
    file.write_text(json.dumps({**config, "http": {**config["http"], "addr": address}}))
    return file


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _answers(port: int, tls: bool, seconds: float, process: subprocess.Popen[bytes] | None) -> bool:
    """Wait until the registry answers anything over HTTP; False when it died or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            return False
        try:
            _ask(port, tls)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        else:
            return process is None or process.poll() is None
    return False


def _ask(port: int, tls: bool) -> None:
    untrusting = ssl._create_unverified_context()  # only asks whether anybody is there
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=untrusting)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    )
    try:
        connection.request("GET", "/v2/")
        connection.getresponse().read()
    finally:
        connection.close()


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for no password, shared by the session: use repository names of your own."""
    with running_registry(tmp_path_factory.mktemp("open-registry")) as registry:
        yield registry


@pytest.fixture
def fresh_registry() -> Iterator[Registry]:
    """An empty registry of the test's own, that asks for no password."""
    with memory_folder() as folder, running_registry(folder) as registry:
        yield registry


@pytest.fixture(scope="session")
def basic_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with Basic authentication, shared by the session: use repository names of your own."""
    with running_registry(tmp_path_factory.mktemp("basic-registry"), basic=True) as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One with Basic authentication and TLS of its own CA, shared by the session: use repository names of your own."""
    with running_registry(tmp_path_factory.mktemp("tls-registry"), basic=True, tls=True) as registry:
        yield registry


@pytest.fixture
def token_service(tmp_path: Path) -> Iterator[TokenService]:
    """A token service of the test's own, so that its counts and its moods are."""
    service = TokenService(tmp_path / "tokens", users={USERNAME: PASSWORD})
    service.start()
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture
def token_registry(tmp_path: Path, token_service: TokenService) -> Iterator[Registry]:
    """An empty registry that asks for Bearer tokens of `token_service`."""
    with running_registry(tmp_path / "token-registry", tokens=token_service) as registry:
        yield registry
