"""GitLab: its groups, projects and token service, its container registry, and that registry's own API."""
