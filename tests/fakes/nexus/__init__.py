"""Sonatype Nexus Repository: its REST API of repositories and components, and a Registry V2 for each repository."""
