"""The DCGAN paper (Radford, Metz and Chintala, 2015, arXiv 1511.06434v2) as a library."""
