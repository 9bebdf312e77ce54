"""Deep metric learners: one file a method."""
