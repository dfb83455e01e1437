"""`/admin/till`: spending a client's points, on a phone or a tablet beside the cash desk."""
