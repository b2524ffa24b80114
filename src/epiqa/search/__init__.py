"""Question -> passages: what is searched for, how the scores are fused, and reranking."""
