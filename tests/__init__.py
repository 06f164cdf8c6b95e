"""Tests; a package, because one of the installed packages brings a `tests` of its own."""
