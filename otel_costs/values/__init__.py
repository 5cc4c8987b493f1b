"""Values made safe for records and logs, media, files that are locked, and memories that are bounded."""
