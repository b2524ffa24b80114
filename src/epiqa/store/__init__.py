"""Where an index is kept: the protocols of a store, and the embedded one."""
