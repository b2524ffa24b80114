"""The page's tabs: each module lays one out and says what happens there."""
