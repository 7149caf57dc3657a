"""A trainer to start from: any optimizer of the catalogue on images, text or pairs of texts."""
