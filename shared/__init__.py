"""What the services share: adapters over pure packages over settings and errors. Each package has one meaning."""
