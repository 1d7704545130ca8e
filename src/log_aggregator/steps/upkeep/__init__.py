"""Care of packs that are there: check them, rebuild lost indexes, adopt what others packed."""
