"""The command line `opregistry`."""
