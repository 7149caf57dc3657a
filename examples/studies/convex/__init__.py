"""AMSGrad's logistic regression and 100-unit network: Adam against AMSGrad over a grid of alpha and b2."""
