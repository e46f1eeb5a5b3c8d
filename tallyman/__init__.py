"""The command line and the one-process form: the only importer of several services."""
