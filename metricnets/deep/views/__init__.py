"""Deep metric learners of two views, or of two domains, whose samples are embedded in one space."""
