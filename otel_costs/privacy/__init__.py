"""Privacy: content that is sealed before it leaves the process, and users that are known by pseudonyms."""
