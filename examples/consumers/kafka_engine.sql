-- Events in ClickHouse, by its own Kafka engine: whatever comes on the topic is a row a moment later.
-- Put your brokers, and the topic's name with its prefix, in the first statement.

CREATE TABLE image_events_queue (data String)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '127.0.0.1:9092',
    kafka_topic_list = 'image.events',
    kafka_group_name = 'clickhouse',
    kafka_format = 'RawBLOB';  -- one message, one value: the JSON as it lies there

-- The same id is the same event: should one come twice, one row stays.
CREATE TABLE image_events (
    id String,
    type LowCardinality(String),
    subject String,
    at DateTime64(3, 'UTC'),
    data String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY (type, id);

CREATE MATERIALIZED VIEW image_events_arriving TO image_events AS
SELECT
    _headers.value[indexOf(_headers.name, 'ce_id')] AS id,
    replaceOne(_headers.value[indexOf(_headers.name, 'ce_type')], 'dev.tallyman.', '') AS type,
    _headers.value[indexOf(_headers.name, 'ce_subject')] AS subject,
    parseDateTime64BestEffort(_headers.value[indexOf(_headers.name, 'ce_time')], 3, 'UTC') AS at,
    data
FROM image_events_queue;
