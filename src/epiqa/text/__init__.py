"""Where sentences and words end, and how a document is cut into chunks."""
