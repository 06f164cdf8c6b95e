"""What the scripts of `stages/` show (`<script>.yaml`) and how much work they are; see workflow/description.py."""
