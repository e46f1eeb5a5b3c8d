"""JFrog Artifactory: its repositories, AQL over manifests' files, and a Registry V2 for each key."""
