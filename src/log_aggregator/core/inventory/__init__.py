"""S3 Inventory: the list of a bucket's objects that S3 writes once a day or a week, as another
source of what there is to pack.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html

A manifest names files of rows, one for each object version or delete marker. The rows are in no
order, and a day old at least: they say what to look for, and every object is read on the condition
that it is still what its row says.
"""
