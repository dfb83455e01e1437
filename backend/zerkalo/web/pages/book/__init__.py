"""`/book…`: the booking form, from a service to a booking, for anybody. `days` also serves moving a visit."""
