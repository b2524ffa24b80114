"""What the page does apart from rendering: uploads, feedback, evaluation, the conversation."""
