"""`/admin/till`: a client's points are spent, on a phone or a tablet beside the cash desk."""
