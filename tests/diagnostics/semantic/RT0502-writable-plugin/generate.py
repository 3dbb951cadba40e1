"""The folder and one plugin can be written by anybody."""
import os
import shutil

shutil.copyfile(os.path.realpath("plugins/app.so"), "app.so")
os.remove("plugins/app.so")
os.rename("app.so", "plugins/app.so")
os.chmod("plugins/app.so", 0o666)
os.chmod("plugins", 0o777)
