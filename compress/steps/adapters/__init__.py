"""What `adapter_set` is made up of."""
