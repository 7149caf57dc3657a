"""What studies and programs share: the frame of a study, its console, its pictures."""
