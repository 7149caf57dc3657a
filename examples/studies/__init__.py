"""The studies, a folder each: what papers report, beside what is measured here."""
