"""One module a script of `stages/`: what the stage shows and how much work it is; see workflow/description.py."""
