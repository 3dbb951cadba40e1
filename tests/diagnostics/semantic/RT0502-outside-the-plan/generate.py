"""A plugin that nothing needs, and a folder that holds none yet, can be written by anybody."""
import os
import shutil

shutil.copyfile(os.path.realpath("plugins/alpha-memory.so"), "copy.so")
os.replace("copy.so", "plugins/alpha-memory.so")
os.chmod("plugins/alpha-memory.so", 0o666)
os.mkdir("more")
os.chmod("more", 0o777)
