"""Where an estate's repositories lie in a GitLab: in two groups and their subgroups, in a project of a group that only
shares it, and in personal projects."""

USER = "reader"
GROUPS = ("corp", "ops")
SHARED = "partner"


def gitlab_name(repository: str) -> str:
    """The repository's path: group/…/project, and an image below the project where the name is long."""
    if "/" not in repository:
        return f"{USER}/{repository}"
    if repository.startswith("a--"):
        return f"{SHARED}/{repository}"
    return f"{'ops' if repository.startswith('a/') else 'corp'}/{repository}"


def project_of(path: str) -> str:
    """The project that a repository belongs to: at most three names deep here, images lie below it."""
    return "/".join(path.split("/")[:3])


def groups_of(paths: list[str]) -> list[str]:
    """The groups of which the account is a member, their subgroups among them."""
    inside = {project_of(path).rpartition("/")[0] for path in paths if path.partition("/")[0] in GROUPS}
    return sorted({*GROUPS, *inside})


def projects_of(paths: list[str]) -> list[str]:
    """The projects of which the account is a member, whether by a group or by itself."""
    return sorted({project_of(path) for path in paths})
