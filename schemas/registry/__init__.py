"""Who is who: the entities, the index that programs look things up in, and its log."""
