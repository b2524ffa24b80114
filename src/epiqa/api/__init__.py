"""What programs read: the JSON of the shell, of HTTP, and of any other way in."""
