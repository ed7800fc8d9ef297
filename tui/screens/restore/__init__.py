"""Edits of a session that ended without an export: take them up again?"""
