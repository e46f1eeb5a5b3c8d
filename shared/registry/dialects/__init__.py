"""One product a file, named as its row of RegistryType; all of the shape in `shared.registry.dialect`."""
