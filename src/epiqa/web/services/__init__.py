"""What the page does besides showing: uploads, feedback, evaluation, the conversation."""
