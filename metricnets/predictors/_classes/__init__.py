"""What predictors know about classes: their means, votes and distances, and classes that are held out."""
