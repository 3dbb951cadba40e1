"""A secret beside the folder that systemd passed."""
import os

os.makedirs("secrets/service")
with open("secrets/password", "w", encoding="utf-8", opener=lambda path, flags:
          os.open(path, flags, 0o600)) as file:
    file.write("not-to-be-seen")
