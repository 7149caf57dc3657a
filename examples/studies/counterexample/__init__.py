"""Where Adam goes the wrong way for ever and AMSGrad does not: the synthetic problem of AMSGrad's paper."""
