-- What anybody may ask. The columns are public: they do not change without a migration and a line in the changelog.
-- FINAL everywhere, since a row's older versions lie beside it until they are merged.

CREATE OR REPLACE VIEW registry_names AS
SELECT
    rows.registry AS registry,
    argMaxIf(rows.name, rows.version, NOT rows.deleted) AS name,
    max(rows.deleted) AS deleted
FROM registries AS rows
GROUP BY rows.registry;

-- The tags that reach a digest, straight or through an index.
CREATE OR REPLACE VIEW tag_reach AS
WITH
    tagged AS (SELECT registry, repository, tag, digest FROM tags FINAL WHERE present),
    members AS (SELECT registry, repository, `index`, child FROM index_children FINAL WHERE present)
SELECT registry, repository, digest, arraySort(groupUniqArray(tag)) AS tags
FROM (
    SELECT registry, repository, digest, tag FROM tagged
    UNION ALL
    SELECT members.registry, members.repository, members.child, tagged.tag
    FROM members
    INNER JOIN tagged
        ON members.registry = tagged.registry AND members.repository = tagged.repository
        AND members.`index` = tagged.digest
)
GROUP BY registry, repository, digest;

CREATE OR REPLACE VIEW current_images (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    digest String COMMENT 'Digest of the image manifest, sha256:… in lower case; with registry and repository it identifies the image.',
    media_type String COMMENT 'Media type of the manifest.',
    os String COMMENT 'Operating system, as the index or the config tells; empty where not told.',
    architecture String COMMENT 'CPU architecture, as the index or the config tells; empty where not told.',
    variant String COMMENT 'Variant of the architecture, as v8; empty where not told.',
    os_version String COMMENT 'Version of the operating system; empty where not told.',
    size_bytes Nullable(UInt64) COMMENT 'Bytes of config and layers as the manifest tells; NULL where asking would have cost a request.',
    created Nullable(DateTime64(3, 'UTC')) COMMENT 'When the image was built, as its config tells, UTC; NULL where not known.',
    tags Array(String) COMMENT 'Tags that reach the image now, straight or through an index, sorted; empty for an untagged one.',
    first_seen DateTime64(3, 'UTC') COMMENT 'When Tallyman first saw the image in this repository, UTC.',
    last_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'Last complete listing of the repository, UTC; NULL before the first one.'
) AS
SELECT
    if(names.name = '', images.registry, names.name) AS registry,
    images.repository AS repository,
    concat('sha256:', lower(hex(images.digest))) AS digest,
    images.media_type AS media_type,
    images.os AS os,
    images.architecture AS architecture,
    images.variant AS variant,
    images.os_version AS os_version,
    images.size_bytes AS size_bytes,
    images.created AS created,
    reach.tags AS tags,
    images.first_seen AS first_seen,
    listed.listed_at AS last_seen
FROM (SELECT * FROM images FINAL WHERE present AND kind = 'image') AS images
LEFT JOIN tag_reach AS reach
    ON images.registry = reach.registry AND images.repository = reach.repository AND images.digest = reach.digest
LEFT JOIN (SELECT registry, repository, listed_at FROM repositories FINAL) AS listed
    ON images.registry = listed.registry AND images.repository = listed.repository
LEFT JOIN registry_names AS names ON images.registry = names.registry
WHERE NOT names.deleted
COMMENT 'Images present now: one row for each registry, repository and digest.';

CREATE OR REPLACE VIEW current_artifacts (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    digest String COMMENT 'Digest of the manifest, sha256:… in lower case.',
    media_type String COMMENT 'Media type of the manifest.',
    artifact_type String COMMENT 'What it is, as the manifest tells: a chart, a signature, an SBOM.',
    size_bytes Nullable(UInt64) COMMENT 'Bytes of config and layers as the manifest tells; NULL where asking would have cost a request.',
    created Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was made, where known, UTC.',
    tags Array(String) COMMENT 'Tags that reach it now, straight or through an index, sorted; empty for an untagged one.',
    first_seen DateTime64(3, 'UTC') COMMENT 'When Tallyman first saw it in this repository, UTC.',
    last_seen Nullable(DateTime64(3, 'UTC')) COMMENT 'Last complete listing of the repository, UTC; NULL before the first one.'
) AS
SELECT
    if(names.name = '', images.registry, names.name) AS registry,
    images.repository AS repository,
    concat('sha256:', lower(hex(images.digest))) AS digest,
    images.media_type AS media_type,
    images.artifact_type AS artifact_type,
    images.size_bytes AS size_bytes,
    images.created AS created,
    reach.tags AS tags,
    images.first_seen AS first_seen,
    listed.listed_at AS last_seen
FROM (SELECT * FROM images FINAL WHERE present AND kind = 'artifact') AS images
LEFT JOIN tag_reach AS reach
    ON images.registry = reach.registry AND images.repository = reach.repository AND images.digest = reach.digest
LEFT JOIN (SELECT registry, repository, listed_at FROM repositories FINAL) AS listed
    ON images.registry = listed.registry AND images.repository = listed.repository
LEFT JOIN registry_names AS names ON images.registry = names.registry
WHERE NOT names.deleted
COMMENT 'Artifacts that are not images (charts, signatures, SBOMs) present now.';

CREATE OR REPLACE VIEW current_tags (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    tag String COMMENT 'The tag.',
    digest String COMMENT 'Digest of the manifest the tag points to, sha256:… in lower case.',
    kind String COMMENT 'What that manifest is: image, index or artifact.',
    platforms Array(Tuple(os String, architecture String, variant String, os_version String)) COMMENT 'Platforms to be had by the tag, sorted: the image''s own, or those of the index''s images; empty for an artifact.',
    observed_at DateTime64(3, 'UTC') COMMENT 'When the tag was last seen to point there: the last complete listing, or a later reading of it, UTC.'
) AS
SELECT
    if(names.name = '', tags.registry, names.name) AS registry,
    tags.repository AS repository,
    tags.tag AS tag,
    concat('sha256:', lower(hex(tags.digest))) AS digest,
    manifests.kind AS kind,
    multiIf(
        manifests.kind = 'image',
        [(toString(manifests.os), toString(manifests.architecture), toString(manifests.variant), manifests.os_version)],
        manifests.kind = 'index',
        members.platforms,
        []
    ) AS platforms,
    greatest(tags.changed_at, ifNull(listed.listed_at, tags.changed_at)) AS observed_at
FROM (SELECT * FROM tags FINAL WHERE present) AS tags
LEFT JOIN (SELECT * FROM images FINAL) AS manifests
    ON tags.registry = manifests.registry AND tags.repository = manifests.repository
    AND tags.digest = manifests.digest
LEFT JOIN (
    SELECT
        children.registry AS registry,
        children.repository AS repository,
        children.`index` AS digest,
        arraySort(groupUniqArray(
            if(
                children.architecture != '',
                (toString(children.os), toString(children.architecture), toString(children.variant), children.os_version),
                (toString(images.os), toString(images.architecture), toString(images.variant), images.os_version)
            )
        )) AS platforms
    FROM (SELECT * FROM index_children FINAL WHERE present) AS children
    INNER JOIN (SELECT * FROM images FINAL WHERE kind = 'image') AS images
        ON children.registry = images.registry AND children.repository = images.repository
        AND children.child = images.digest
    GROUP BY registry, repository, digest
) AS members
    ON tags.registry = members.registry AND tags.repository = members.repository AND tags.digest = members.digest
LEFT JOIN (SELECT registry, repository, listed_at FROM repositories FINAL) AS listed
    ON tags.registry = listed.registry AND tags.repository = listed.repository
LEFT JOIN registry_names AS names ON tags.registry = names.registry
WHERE NOT names.deleted
COMMENT 'Tags present now and what they point to.';

CREATE OR REPLACE VIEW tag_moves (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    tag String COMMENT 'The tag.',
    moved_at DateTime64(3, 'UTC') COMMENT 'When the change was seen, UTC.',
    from_digest String COMMENT 'Digest it pointed to before, sha256:…; empty where the tag was created.',
    to_digest String COMMENT 'Digest it points to since, sha256:…; empty where the tag was removed.',
    scan UInt64 COMMENT 'Number of the scan that saw it; scan_id in the view scans.'
) AS
SELECT
    if(names.name = '', history.registry, names.name) AS registry,
    history.repository AS repository,
    history.tag AS tag,
    history.moved_at AS moved_at,
    if(history.previous = toFixedString('', 32), '', concat('sha256:', lower(hex(history.previous)))) AS from_digest,
    if(history.digest = toFixedString('', 32), '', concat('sha256:', lower(hex(history.digest)))) AS to_digest,
    history.version AS scan
FROM (SELECT * FROM tag_history FINAL) AS history
LEFT JOIN registry_names AS names ON history.registry = names.registry
COMMENT 'Every time a tag was created, moved or removed; those of deleted registries too.';

CREATE OR REPLACE VIEW image_history (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    digest String COMMENT 'Digest of the image manifest, sha256:… in lower case.',
    media_type String COMMENT 'Media type of the manifest.',
    os String COMMENT 'Operating system; empty where not told.',
    architecture String COMMENT 'CPU architecture; empty where not told.',
    variant String COMMENT 'Variant of the architecture; empty where not told.',
    os_version String COMMENT 'Version of the operating system; empty where not told.',
    size_bytes Nullable(UInt64) COMMENT 'Bytes of config and layers as the manifest tells; NULL where not known.',
    created Nullable(DateTime64(3, 'UTC')) COMMENT 'When the image was built, as its config tells, UTC; NULL where not known.',
    present Bool COMMENT 'Whether it was there at the last look.',
    first_seen DateTime64(3, 'UTC') COMMENT 'When Tallyman first saw the image in this repository, UTC.',
    removed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was found gone, UTC; NULL while it is there.'
) AS
SELECT
    if(names.name = '', images.registry, names.name) AS registry,
    images.repository AS repository,
    concat('sha256:', lower(hex(images.digest))) AS digest,
    images.media_type AS media_type,
    images.os AS os,
    images.architecture AS architecture,
    images.variant AS variant,
    images.os_version AS os_version,
    images.size_bytes AS size_bytes,
    images.created AS created,
    images.present AS present,
    images.first_seen AS first_seen,
    if(images.present, NULL, images.changed_at) AS removed_at
FROM (SELECT * FROM images FINAL WHERE kind = 'image') AS images
LEFT JOIN registry_names AS names ON images.registry = names.registry
COMMENT 'Every image ever seen, those that are gone and those of deleted registries too.';

-- How each unit of a scan came out: the first report stands, but success beats failure.
CREATE OR REPLACE VIEW scan_outcomes AS
SELECT
    registry, scan, repository,
    argMin(
        (tags, images, artifacts, discovered, removed, failed, requests, failures, at),
        (state NOT IN ('stored', 'skipped'), offset)
    ) AS outcome
FROM scan_units FINAL
WHERE repository != '' AND state IN ('stored', 'skipped', 'failed', 'held', 'timeout')
GROUP BY registry, scan, repository;

CREATE OR REPLACE VIEW scans (
    scan_id UInt64 COMMENT 'Number of the scan; the higher, the later, among those of one registry.',
    registry String COMMENT 'Name of the registry, as its connection was named.',
    reason String COMMENT 'Who asked for it: manual, schedule or webhook.',
    status String COMMENT 'running; complete; partial (some was not read, see scan_failures); failed (the catalog could not be read).',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL while it runs.',
    repositories UInt64 COMMENT 'Repositories it found named.',
    tags UInt64 COMMENT 'Tags it saw.',
    images UInt64 COMMENT 'Images it saw.',
    artifacts UInt64 COMMENT 'Other artifacts it saw.',
    discovered UInt64 COMMENT 'Images that were new, or there again.',
    removed UInt64 COMMENT 'Images that were gone.',
    failed UInt64 COMMENT 'How many things could not be read; each has a row in scan_failures.',
    requests UInt64 COMMENT 'Requests sent to the registry for it, retries and tokens included.'
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
    units.requests + steps.requests AS requests
FROM (
    SELECT
        rows.registry AS registry,
        rows.scan AS scan,
        anyIf(rows.reason, rows.state = 'started') AS reason,
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
        sum(outcome.7) AS requests
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
COMMENT 'What a scan could not read, and why. What was not read is unknown, never taken for gone.';
