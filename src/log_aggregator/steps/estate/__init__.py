"""What lies in the source buckets, counted or sampled, before anything is packed."""
