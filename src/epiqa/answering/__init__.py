"""Spans -> answer: grouping, the calibrated confidence, abstention, and citations."""
