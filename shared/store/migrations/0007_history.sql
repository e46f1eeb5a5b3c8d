-- Who held what when. What was image_history, the images ever seen, is now images_ever.

CREATE OR REPLACE VIEW images_ever (
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

-- A tag's present state counts as its last move where the move itself is older than history is kept.
CREATE OR REPLACE VIEW image_history (
    registry String COMMENT 'Name of the registry, as its connection was named.',
    repository String COMMENT 'Repository, without the host.',
    tag String COMMENT 'The tag.',
    digest String COMMENT 'Digest the tag pointed to meanwhile, sha256:… in lower case.',
    kind String COMMENT 'What that manifest is: image, index or artifact.',
    held_from DateTime64(3, 'UTC') COMMENT 'When the tag was first seen to point there, UTC.',
    held_to Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was seen to point elsewhere, or gone, UTC; NULL while it points there.',
    scan UInt64 COMMENT 'Number of the scan that saw it begin; scan_id in the view scans.'
) AS
SELECT
    if(names.name = '', held.registry, names.name) AS registry,
    held.repository AS repository,
    held.tag AS tag,
    concat('sha256:', lower(hex(held.digest))) AS digest,
    manifests.kind AS kind,
    held.moved_at AS held_from,
    if(held.next_version = 0, NULL, held.next_at) AS held_to,
    held.version AS scan
FROM (
    SELECT
        registry, repository, tag, digest, moved_at, version,
        leadInFrame(moved_at) OVER following AS next_at,
        leadInFrame(version) OVER following AS next_version
    FROM (
        SELECT registry, repository, tag, version, moved_at, digest FROM tag_history FINAL
        UNION ALL
        SELECT registry, repository, tag, version, changed_at AS moved_at, digest
        FROM (SELECT * FROM tags FINAL WHERE present) AS now
        WHERE (registry, repository, tag) NOT IN (SELECT registry, repository, tag FROM tag_history)
    )
    WINDOW following AS (
        PARTITION BY registry, repository, tag ORDER BY version
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
) AS held
LEFT JOIN (SELECT registry, repository, digest, kind FROM images FINAL) AS manifests
    ON held.registry = manifests.registry AND held.repository = manifests.repository
    AND held.digest = manifests.digest
LEFT JOIN registry_names AS names ON held.registry = names.registry
WHERE held.digest != toFixedString('', 32)
COMMENT 'Which digest each tag pointed to, from when to when; those of deleted registries too.';
