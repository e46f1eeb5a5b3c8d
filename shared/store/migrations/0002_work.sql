-- What the sink works with. Where several copies of a row come, the one with the lowest offset in the log stays:
-- `rank` is the highest for it.

CREATE TABLE IF NOT EXISTS outbox (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    scan UInt64,
    topic LowCardinality(String),
    partition UInt16,
    offset UInt64,
    decision String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (registry, repository, scan)
TTL toDateTime(inserted_at) + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS listing_pages (
    registry LowCardinality(String),
    repository String CODEC(ZSTD(1)),
    scan UInt64,
    reading String CODEC(ZSTD(1)),
    leg String CODEC(ZSTD(1)),
    follows String CODEC(ZSTD(1)),
    page UInt32,
    last Bool,
    offset UInt64,
    body String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC'),
    rank UInt64 MATERIALIZED 9223372036854775807 - offset
) ENGINE = ReplacingMergeTree(rank)
ORDER BY (registry, repository, reading, leg, page)
TTL toDateTime(inserted_at) + INTERVAL 7 DAY;

CREATE TABLE IF NOT EXISTS scan_units (
    registry LowCardinality(String),
    scan UInt64,
    repository String CODEC(ZSTD(1)),
    state LowCardinality(String),
    page UInt32,
    offset UInt64,
    reason LowCardinality(String),
    request String,
    tags UInt64,
    images UInt64,
    artifacts UInt64,
    discovered UInt64,
    removed UInt64,
    failed UInt64,
    requests UInt64,
    failures Array(Tuple(what String, reason String, detail String)) CODEC(ZSTD(3)),
    at DateTime64(3, 'UTC'),
    rank UInt64 MATERIALIZED 9223372036854775807 - offset
) ENGINE = ReplacingMergeTree(rank)
ORDER BY (registry, scan, repository, state, page);
