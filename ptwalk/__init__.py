"""ptwalk: learn safe page-table walking, and check a walker before sending the patch."""
