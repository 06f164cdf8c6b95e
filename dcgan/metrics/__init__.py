"""How near samples are to real images."""
