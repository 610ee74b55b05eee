"""Test helpers that several folders share (`handmade_projects`) are importable because this file stands here."""
