"""Marks: letters that stand for layers."""
