"""HTML from values: pure functions, tested by their exact output."""
