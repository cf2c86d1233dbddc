"""The report of a night: its numbers gathered once, then told as text, tables, pictures, a page."""
