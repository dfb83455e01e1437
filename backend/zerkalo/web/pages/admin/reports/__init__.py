"""`/admin/reports`: the owner's figures. `asked`: which period an address names; `rows`: a report as tables; `words`: what each figure is."""
