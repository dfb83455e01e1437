"""`/admin/staff`, `/admin/log` and `/join`: who works here, what they did, and how somebody comes in."""
