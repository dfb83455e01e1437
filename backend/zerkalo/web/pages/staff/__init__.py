"""`/admin/staff`, `/admin/log` and `/join`: the staff, what they did, and opening an invitation."""
