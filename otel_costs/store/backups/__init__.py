"""Backups of a store, what is put back from them, and moves to another one: all rows, table by table, part by part."""
