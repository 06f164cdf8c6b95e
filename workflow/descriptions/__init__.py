"""What the scripts of `stages/` show and how much work they are; see workflow/description.py."""
