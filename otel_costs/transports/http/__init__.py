"""Responses over HTTP, watched while the application reads them."""
