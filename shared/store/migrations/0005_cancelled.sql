-- Scans that a person cancelled, and what kind a scan is.

ALTER TABLE scan_units ADD COLUMN IF NOT EXISTS kind LowCardinality(String);

CREATE OR REPLACE VIEW scans (
    scan_id UInt64 COMMENT 'Number of the scan; the higher, the later, among those of one registry.',
    registry String COMMENT 'Name of the registry, as its connection was named.',
    reason String COMMENT 'Who asked for it: manual, schedule or webhook.',
    status String COMMENT 'running; complete; partial (some was not read, see scan_failures); failed (the catalog could not be read); cancelled (by a person).',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL while it runs.',
    repositories UInt64 COMMENT 'Repositories it found named.',
    tags UInt64 COMMENT 'Tags it saw.',
    images UInt64 COMMENT 'Images it saw.',
    artifacts UInt64 COMMENT 'Other artifacts it saw.',
    discovered UInt64 COMMENT 'Images that were new, or there again.',
    removed UInt64 COMMENT 'Images that were gone.',
    failed UInt64 COMMENT 'How many things could not be read; each has a row in scan_failures.',
    requests UInt64 COMMENT 'Requests sent to the registry for it, retries and tokens included.',
    repositories_out_of_scope UInt64 COMMENT 'Repositories that the connection''s filters left out; named in scan_out_of_scope.',
    tags_out_of_scope UInt64 COMMENT 'Tags that the connection''s filters left out; the first of each repository are named in scan_out_of_scope.',
    kind String COMMENT 'What it reads: full, repository or tag; empty for scans of before this was kept.',
    repositories_done UInt64 COMMENT 'Repositories of which it is known how they came out.'
) AS
SELECT
    steps.scan AS scan_id,
    if(names.name = '', steps.registry, names.name) AS registry,
    steps.reason AS reason,
    steps.status AS status,
    steps.started_at AS started_at,
    steps.completed_at AS completed_at,
    steps.repositories AS repositories,
    units.tags AS tags,
    units.images AS images,
    units.artifacts AS artifacts,
    units.discovered AS discovered,
    units.removed AS removed,
    units.failed + steps.failed AS failed,
    units.requests + steps.requests AS requests,
    units.repositories_out_of_scope AS repositories_out_of_scope,
    units.tags_out_of_scope AS tags_out_of_scope,
    steps.kind AS kind,
    units.repositories AS repositories_done
FROM (
    SELECT
        rows.registry AS registry,
        rows.scan AS scan,
        anyIf(rows.reason, rows.state = 'started') AS reason,
        anyIf(rows.kind, rows.state = 'started') AS kind,
        if(countIf(rows.state = 'ended') = 0, 'running', anyIf(rows.reason, rows.state = 'ended')) AS status,
        if(countIf(rows.state = 'started') = 0, min(rows.at), minIf(rows.at, rows.state = 'started')) AS started_at,
        if(countIf(rows.state = 'ended') = 0, NULL, minIf(rows.at, rows.state = 'ended')) AS completed_at,
        uniqExactIf(rows.repository, rows.state = 'expected') AS repositories,
        sumIf(length(rows.failures), rows.state = 'catalog') AS failed,
        sumIf(rows.requests, rows.state = 'catalog') AS requests
    FROM (SELECT * FROM scan_units FINAL) AS rows
    GROUP BY rows.registry, rows.scan
) AS steps
LEFT JOIN (
    SELECT
        registry,
        scan,
        sum(outcome.1) AS tags,
        sum(outcome.2) AS images,
        sum(outcome.3) AS artifacts,
        sum(outcome.4) AS discovered,
        sum(outcome.5) AS removed,
        sum(outcome.6) AS failed,
        sum(outcome.7) AS requests,
        countIf(outcome.12 = 'skipped' AND arrayExists(why -> why.2 = 'filtered', outcome.8)) AS repositories_out_of_scope,
        sum(outcome.10) AS tags_out_of_scope,
        count() AS repositories
    FROM scan_outcomes
    GROUP BY registry, scan
) AS units ON steps.registry = units.registry AND steps.scan = units.scan
LEFT JOIN registry_names AS names ON steps.registry = names.registry
COMMENT 'Every scan, how it ended, and what it found.';

CREATE OR REPLACE VIEW scan_failures (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    scan_id UInt64 COMMENT 'Number of the scan.',
    repository String COMMENT 'Repository it happened in; empty for the catalog.',
    what String COMMENT 'What was not read: a tag, a list.',
    reason String COMMENT 'Short constant that says why.',
    detail String COMMENT 'A sentence that says what was wrong and what to do.',
    at DateTime64(3, 'UTC') COMMENT 'When it was recorded, UTC.'
) AS
SELECT
    if(names.name = '', failed.registry, names.name) AS registry,
    failed.scan AS scan_id,
    failed.repository AS repository,
    failed.failure.1 AS what,
    failed.failure.2 AS reason,
    failed.failure.3 AS detail,
    failed.at AS at
FROM (
    SELECT registry, scan, repository, arrayJoin(outcome.8) AS failure, outcome.9 AS at FROM scan_outcomes
    UNION ALL
    SELECT registry, scan, repository, arrayJoin(failures) AS failure, at
    FROM scan_units FINAL
    WHERE repository = ''
) AS failed
LEFT JOIN registry_names AS names ON failed.registry = names.registry
WHERE failed.failure.2 NOT IN ('filtered', 'scan_cancelled')
COMMENT 'What a scan could not read, and why. What was not read is unknown, never taken for gone.';
