"""The page's tabs: the layout of each, and its event handlers."""
