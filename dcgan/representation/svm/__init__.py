"""The linear L2-SVM, solved exactly at a size that fits no other solver."""
