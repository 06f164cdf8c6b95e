"""Section 4: from raw archives to image stores, and from these to minibatches."""
