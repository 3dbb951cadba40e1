"""Doubtful requests, a table a module; `cases.load` reads them all."""
