"""The experiments that ship with neuronsim, one TOML file each."""
