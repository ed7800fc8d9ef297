"""Leave with edits that are not written?"""
