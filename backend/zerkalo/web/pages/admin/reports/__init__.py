"""`/admin/reports`: the owner's figures. `rows`: a report as tables; `words`: the name and definition of each figure."""
