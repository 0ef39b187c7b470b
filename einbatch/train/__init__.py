"""Training: optimizers as update statements, and the loop over minibatches."""
