"""What there is to learn: losses and measures of images, sequences and language."""
