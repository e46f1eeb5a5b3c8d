-- Scans that end held, and what waits for a person. Of a unit's outcomes what was stored beats all else, and a skip
-- beats nothing: it says that a newer listing was decided, not that all was read.

CREATE OR REPLACE VIEW scan_outcomes AS
SELECT
    registry, scan, repository,
    argMin(
        (
            tags, images, artifacts, discovered, removed, failed, requests, failures, at,
            tags_out_of_scope, out_of_scope, state
        ),
        (state != 'stored', offset)
    ) AS outcome
FROM scan_units FINAL
WHERE repository != '' AND state IN ('stored', 'skipped', 'failed', 'held', 'timeout')
GROUP BY registry, scan, repository;

CREATE OR REPLACE VIEW scans (
    scan_id UInt64 COMMENT 'Number of the scan; the higher, the later, among those of one registry.',
    registry String COMMENT 'Name of the registry, as its connection was named.',
    reason String COMMENT 'Who asked for it: manual, schedule or webhook.',
    status String COMMENT 'running; complete; partial (some was not read, see scan_failures); held (removals wait for a person, see scan_held); failed (the catalog could not be read); cancelled (by a person).',
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
    repositories_done UInt64 COMMENT 'Repositories of which it is known how they came out.',
    held UInt64 COMMENT 'Repositories whose removals a fuse held back; see scan_held for those that still wait.'
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
    units.repositories AS repositories_done,
    units.held AS held
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
    HAVING max(rows.repository != '' OR rows.state != 'ended')  -- else all but its end is older than history is kept
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
        count() AS repositories,
        countIf(outcome.12 = 'held') AS held
    FROM scan_outcomes
    GROUP BY registry, scan
) AS units ON steps.registry = units.registry AND steps.scan = units.scan
LEFT JOIN registry_names AS names ON steps.registry = names.registry
COMMENT 'Every scan, how it ended, and what it found.';

CREATE OR REPLACE VIEW scan_held (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    scan_id UInt64 COMMENT 'Number of the last scan that held it back.',
    repository String COMMENT 'Repository whose removals wait: tags of it, or all of it where the catalog no longer names it.',
    detail String COMMENT 'A sentence that says how much would be removed and how to let it through.',
    at DateTime64(3, 'UTC') COMMENT 'When it was held back, UTC.'
) AS
SELECT
    if(names.name = '', held.registry, names.name) AS registry,
    held.newest AS scan_id,
    held.repository AS repository,
    held.detail AS detail,
    held.at AS at
FROM (
    SELECT
        registry,
        repository,
        max(scan) AS newest,
        argMax(arrayFirst(why -> why.2 = 'held', outcome.8).3, scan) AS detail,
        argMax(outcome.9, scan) AS at
    FROM scan_outcomes
    WHERE outcome.12 = 'held'
    GROUP BY registry, repository
) AS held
LEFT JOIN (SELECT registry, repository, full FROM repositories FINAL) AS listed
    ON held.registry = listed.registry AND held.repository = listed.repository
LEFT JOIN registry_names AS names ON held.registry = names.registry
WHERE listed.full <= held.newest AND NOT names.deleted
COMMENT 'Removals that a fuse holds back and that still wait for a person: nothing newer was decided of the repository.';
