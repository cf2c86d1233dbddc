"""Convert answers of services, exports and reports into the files that the source `files` reads.

There is one module for each provider, and `formats.py` registers their formats. The rules of the
inputs do not belong here: the source applies them when it reads the converted files.
"""
