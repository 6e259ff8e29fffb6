"""The groups of settings: defaults, ranges, meanings."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

Bits = Annotated[int, Field(ge=64, le=32768, multiple_of=64)]
Fraction = Annotated[float, Field(ge=0.001, le=0.999)]
MemorySize = Annotated[str, Field(pattern=r"^[1-9][0-9]*(kB|MB|GB)$")]
_MEMORY_SIZE: JsonDict = {"allowed": "a size as PostgreSQL writes it, such as 512MB or 4GB"}


class Section(BaseModel):
    """A group of settings: closed, immutable, checked in its defaults too."""

    # Defaults are validated because one key given alone may contradict the default of another.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_values(cls, value: Any) -> Any:
        # YAML reads yes, no, on and off as truth values; as numbers they would be 1 and 0.
        if isinstance(value, bool):
            raise PydanticCustomError("truth_value", "not a truth value")
        return value


class Install(Section):
    """Fixed when the schema is installed and recorded in the database."""

    bits: int = Field(
        default=16384, ge=1024, le=32768, multiple_of=64, description="components of a hypervector (D)"
    )
    sketch_bits: Bits | None = Field(
        default=None,
        description="leading components that the index holds (S); null: 1536, or bits where that is less",
    )

    @field_validator("sketch_bits")
    @classmethod
    def _sketch_fits(cls, value: int | None, info: ValidationInfo) -> int | None:
        return None if value is None else _at_most(value, info, "bits")


class Embedded(Section):
    """The PostgreSQL server that Mnemo starts itself where no dsn is given."""

    port: int | None = Field(
        default=None,
        ge=1024,
        le=65535,
        description="TCP port on the loopback address; null: no TCP port, socket only",
    )
    shared_buffers: MemorySize | None = Field(
        default=None,
        description="page cache of the server; null: from the machine's memory",
        json_schema_extra=_MEMORY_SIZE,
    )
    maintenance_work_mem: MemorySize | None = Field(
        default=None,
        description="memory of one index build; null: from the machine's memory",
        json_schema_extra=_MEMORY_SIZE,
    )


class Pool(Section):
    """Connections this process keeps to the database."""

    min_size: int = Field(default=1, ge=0, le=1000, description="connections kept open when idle")
    max_size: int = Field(default=10, ge=1, le=1000, description="most connections at one time")
    timeout_seconds: float = Field(
        default=5.0, gt=0, le=3600, description="longest wait for a free connection, seconds"
    )

    @field_validator("max_size")
    @classmethod
    def _holds_the_idle_ones(cls, value: int, info: ValidationInfo) -> int:
        return _at_least(value, info, "min_size")


class Resilience(Section):
    """What to do while the database cannot be reached."""

    retries: int = Field(
        default=3, ge=0, le=100, description="further attempts to get a connection, or to repeat a search"
    )
    first_wait_seconds: float = Field(
        default=1.0,
        ge=0,
        le=60,
        description="wait before the first of them, seconds; each next one doubles it",
    )
    longest_wait_seconds: float = Field(
        default=60.0, ge=0, le=3600, description="longest wait between two attempts, seconds"
    )
    breaker_failures: int = Field(
        default=5, ge=1, le=1000, description="failures in a row after which nothing is tried for a while"
    )
    breaker_reset_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="after which one caller tries again, seconds"
    )


class Search(Section):
    """How much work a recall does."""

    # 4,096 is the bound that mnemo.search itself keeps, 1,000 is pgvector's bound of hnsw.ef_search.
    max_k: int = Field(default=4096, ge=1, le=4096, description="most hits a caller may ask for")
    k: int = Field(default=10, ge=1, le=4096, description="hits of a recall that names no number")
    ef_search: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="sketch candidates ranked by the whole hypervector (at least 4 k); more: better recall",
    )
    statement_timeout_ms: int = Field(
        default=30_000, ge=0, le=3_600_000, description="longest run of one search, milliseconds; 0: no limit"
    )

    @field_validator("k")
    @classmethod
    def _k_is_allowed(cls, value: int, info: ValidationInfo) -> int:
        return _at_most(value, info, "max_k")


class Ingest(Section):
    """Writing many memories."""

    batch_rows: int = Field(default=1000, ge=1, le=100_000, description="memories of one transaction")
    content_max_bytes: int = Field(
        default=1_000_000, ge=1, le=8_000_000, description="longest content of one memory, bytes of UTF-8"
    )


class Lifecycle(Section):
    """How strength (LTP) grows and decays, and which tier follows from it."""

    hot_threshold: Fraction = Field(
        default=0.7, description="strength from which a memory belongs to the hot tier"
    )
    warm_threshold: Fraction = Field(
        default=0.3, description="strength from which a memory belongs to the warm tier"
    )
    half_life_days: float = Field(
        default=30.0, ge=0.001, le=36_500, description="time in which unused strength halves, days"
    )
    potentiation: Fraction = Field(
        default=0.1, description="share of the missing strength that one access adds"
    )
    importance: float = Field(
        default=0.8, ge=0, le=1, description="importance of a memory written without one"
    )

    @field_validator("warm_threshold")
    @classmethod
    def _tiers_are_ordered(cls, value: float, info: ValidationInfo) -> float:
        hot = info.data.get("hot_threshold")
        if hot is not None and value >= hot:
            raise ValueError(f"must be below lifecycle.hot_threshold, which is {hot:g}")
        return value


class Archive(Section):
    """The object store that holds cold segments, and how it is asked."""

    url: str | None = Field(
        default=None,
        repr=False,
        description="where objects are; null: objects/ in data_dir with the embedded server, else no archive",
        json_schema_extra={"allowed": "s3://bucket/prefix, file:///path or a path, without credentials"},
    )
    endpoint_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/@\s]+/?$",
        description="the S3 server; null: that of AWS, or AWS_ENDPOINT_URL",
        json_schema_extra={"allowed": "a URL such as https://s3.example.org:9000"},
    )
    region: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="region of the bucket; null: AWS_DEFAULT_REGION, or any",
    )
    sse: Literal["AES256", "aws:kms"] | None = Field(
        default=None, description="encryption that the server is asked for; null: as the bucket says"
    )
    sse_kms_key_id: str | None = Field(
        default=None, min_length=1, description="key of aws:kms; null: the account's own"
    )
    concurrency: int = Field(
        default=16, ge=1, le=256, description="requests of this process at the same time, and its connections"
    )
    connect_timeout_seconds: float = Field(
        default=5.0, gt=0, le=300, description="longest wait for a connection to the store, seconds"
    )
    read_timeout_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="longest silence of the store in a request, seconds"
    )
    multipart_mb: int = Field(
        default=16,
        ge=5,
        le=1024,
        description="size of a part of an object that is larger than this, MiB",
    )
    retries: int = Field(default=4, ge=0, le=100, description="further attempts of a request that failed")
    first_wait_seconds: float = Field(
        default=0.2,
        ge=0,
        le=60,
        description="wait before the first of them, seconds; each next one doubles it",
    )
    cache_mb: int = Field(
        default=256, ge=0, le=1_000_000, description="memory for blocks read from the archive, MiB; 0: none"
    )
    candidates: int = Field(
        default=100,
        ge=10,
        le=4096,
        description="archived memories that a search considers by their sketches (at least 10 k)",
    )
    reads: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="range reads in which a search of 10 fetches their hypervectors, in one segment; in more"
        " segments, twice as many at most for four, four times as many for sixteen",
    )
    gap_blocks: int = Field(
        default=16,
        ge=0,
        le=1024,
        description="blocks between two wanted ones that are read with them, in one request",
    )
    search_seconds: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="longest wait of a search for the archive, seconds; it is left out and named then",
    )

    @field_validator("url")
    @classmethod
    def _names_a_place(cls, value: str | None) -> str | None:
        if value is not None:
            scheme, _, rest = value.rpartition("://")
            if not rest or (scheme and ("@" in rest.partition("/")[0] or "?" in rest)):
                # The text may hold a password.
                raise ValueError("must be s3://bucket/prefix, file:///path or a path, without credentials")
        return value

    @field_validator("sse_kms_key_id")
    @classmethod
    def _key_is_used(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("sse") != "aws:kms":
            raise ValueError("must be null unless archive.sse is aws:kms")
        return value


class Vault(Section):
    """Encrypted items, and where the keys are that open them."""

    keys: str | None = Field(
        default=None,
        repr=False,
        description="key store, outside the database and its backups; null: no vault",
        json_schema_extra={"allowed": "file:///path, env: or kms://region, without credentials"},
    )
    chunk_bytes: int = Field(
        default=1_048_576,
        ge=4096,
        le=16_777_216,
        description="plaintext of one sealed chunk of an item, bytes; an item is read and written by chunks",
    )

    @field_validator("keys")
    @classmethod
    def _names_a_key_store(cls, value: str | None) -> str | None:
        if value is not None:
            scheme, colon, rest = value.partition(":")
            host = rest.removeprefix("//").partition("/")[0] if rest.startswith("//") else ""
            if not colon or not scheme.isalnum() or not scheme.islower() or "@" in host:
                # The text may hold a password.
                raise ValueError("must be file:///path, env: or kms://region, without credentials")
        return value


class Worker(Section):
    """How `mnemo worker` runs the jobs."""

    poll_seconds: float = Field(
        default=1.0, ge=0.01, le=3600, description="longest wait before it looks for due jobs again, seconds"
    )
    concurrency: int = Field(
        default=2, ge=1, le=64, description="jobs that one worker process runs at the same time"
    )
    grace_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="time a step has to finish when the worker is stopped, seconds; then it is cancelled",
    )


class Logging(Section):
    """What the process itself reports, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe message shown"
    )
    format: Literal["text", "json"] = Field(
        default="text", description="text for people, json: one object a line"
    )

    @field_validator("level", "format", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


def _at_most(value: int, info: ValidationInfo, other: str) -> int:
    limit = info.data.get(other)
    if limit is not None and value > limit:
        raise ValueError(f"must not be above {other}, which is {limit}")
    return value


def _at_least(value: int, info: ValidationInfo, other: str) -> int:
    limit = info.data.get(other)
    if limit is not None and value < limit:
        raise ValueError(f"must not be below {other}, which is {limit}")
    return value
