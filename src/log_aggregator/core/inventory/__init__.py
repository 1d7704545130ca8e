"""S3 Inventory: the list of a bucket's objects that S3 writes once a day or a week. It can replace
a listing as the source of what there is to pack.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html

A manifest names files of rows, one row for each object version or delete marker. The rows are in no
order, and may be a day old or more. They only say what to look for: every object is read on the
condition that it still has the ETag of its row.
"""
