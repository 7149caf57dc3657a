"""RAdam's two-layer LSTM language model: perplexity of Adam and RAdam over steps, on Python's own sources."""
