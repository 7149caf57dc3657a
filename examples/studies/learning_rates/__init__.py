"""ResNets trained by RAdam, Adam and SGD at four learning rates: figure 6 and table 1 of the RAdam paper."""
