"""The use case at the heart: observe, plan, carry out one step, commit it, observe again."""
