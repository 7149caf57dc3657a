"""A post-LayerNorm Transformer on which Adam sticks without warmup, and eight ways around it."""
