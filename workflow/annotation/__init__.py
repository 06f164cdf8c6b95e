"""What a person has to look at: boxes and exemplars by hand."""
