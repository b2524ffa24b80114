"""A run over files that brings an index up to date with them, and its report."""
