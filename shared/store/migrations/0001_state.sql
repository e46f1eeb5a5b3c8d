-- What is in the registries, and what was. Rows are written on change; the highest version (a scan's number) wins.

CREATE TABLE IF NOT EXISTS images (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    digest FixedString(32) CODEC(NONE),
    present Bool,
    kind LowCardinality(String),
    media_type LowCardinality(String),
    artifact_type LowCardinality(String),
    os LowCardinality(String),
    architecture LowCardinality(String),
    variant LowCardinality(String),
    os_version String,
    size_bytes Nullable(UInt64),
    created Nullable(DateTime64(3, 'UTC')),
    config FixedString(32) CODEC(NONE),
    first_seen DateTime64(3, 'UTC'),
    changed_at DateTime64(3, 'UTC'),
    version UInt64,
    INDEX by_digest digest TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree(version)
ORDER BY (registry, repository, digest);

CREATE TABLE IF NOT EXISTS tags (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    tag String CODEC(ZSTD(1)),
    digest FixedString(32) CODEC(NONE),
    present Bool,
    changed_at DateTime64(3, 'UTC'),
    version UInt64,
    INDEX by_digest digest TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree(version)
ORDER BY (registry, repository, tag);

CREATE TABLE IF NOT EXISTS tag_history (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    tag String CODEC(ZSTD(1)),
    version UInt64,
    moved_at DateTime64(3, 'UTC'),
    digest FixedString(32) CODEC(NONE),
    previous FixedString(32) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
ORDER BY (registry, repository, tag, version);

CREATE TABLE IF NOT EXISTS index_children (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    `index` FixedString(32) CODEC(ZSTD(1)),
    child FixedString(32) CODEC(NONE),
    os LowCardinality(String),
    architecture LowCardinality(String),
    variant LowCardinality(String),
    os_version String,
    present Bool,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (registry, repository, `index`, child);

CREATE TABLE IF NOT EXISTS configs (
    registry LowCardinality(String),
    digest FixedString(32) CODEC(NONE),
    os LowCardinality(String),
    architecture LowCardinality(String),
    variant LowCardinality(String),
    os_version String,
    created Nullable(DateTime64(3, 'UTC'))
) ENGINE = ReplacingMergeTree
ORDER BY (registry, digest);

CREATE TABLE IF NOT EXISTS repositories (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    present Bool,
    `full` UInt64,
    listed_at Nullable(DateTime64(3, 'UTC')),
    decided_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(`full`)
ORDER BY (registry, repository);

-- A deleted registry keeps its name for what tells of the past: the deletion is a row of its own.
CREATE TABLE IF NOT EXISTS registries (
    registry LowCardinality(String),
    name String,
    host String,
    deleted Bool,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (registry, deleted);
