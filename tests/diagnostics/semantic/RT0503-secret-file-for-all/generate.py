"""A secret in a file that everybody may read."""
import os

with open("password", "w") as file:
    file.write("not-to-be-seen\n")
os.chmod("password", 0o644)
