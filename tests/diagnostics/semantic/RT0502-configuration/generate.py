"""The configuration and what it includes can be written by anybody."""
import os

os.chmod("runtime.conf", 0o666)
os.chmod("main.conf", 0o646)
