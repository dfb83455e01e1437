"""`/book…`: from a service to a booking, step by step, for anybody. `days` also serves moving a visit."""
