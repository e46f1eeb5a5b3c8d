-- Where a registry's messages lie, and which partitions have told that a deleted one is no longer present.

ALTER TABLE registries
    ADD COLUMN IF NOT EXISTS slot UInt32,
    ADD COLUMN IF NOT EXISTS shards UInt32;

CREATE TABLE IF NOT EXISTS forgotten (
    registry LowCardinality(String),
    partition UInt16,
    at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (registry, partition);
