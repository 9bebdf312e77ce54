"""Relatedness of tasks: counted, inferred or given; and predictions that are combined by it."""
