# Made by `make docs` from template.yaml. Do not edit: change the template.

variable "control_tower_bucket" {
  description = "The bucket that Control Tower writes CloudTrail and Config to; several with commas between them."
  type        = string
  nullable    = false
}

variable "other_buckets" {
  description = "Buckets with other logs: names, or beginnings of names followed by *, with commas between them. Packs of all of them go the same way. Logs whose keys AWS does not write stay where they are until they are declared, in the file that the output LayoutsFile names. 30 names of any length fit into IAM's and Lambda's limits; where more do not, use beginnings."
  type        = string
  default     = ""
  nullable    = false
}

variable "organization_id" {
  description = "The organisation's id, such as o-abc123defg. Empty - found out."
  type        = string
  default     = ""
  nullable    = false
}

variable "aggregation_regions" {
  description = "Regions whose logs are packed, as a JSON list or with commas between them. [] or empty - all."
  type        = string
  default     = "[]"
  nullable    = false
}

variable "other_regions" {
  description = "What becomes of logs of regions that AggregationRegions does not name. delete deletes them without packing them, which is what the older stack did."
  type        = string
  default     = "keep"
  nullable    = false
}

variable "source_kms_key_arns" {
  description = "ARNs of the KMS keys that logs, and inventories, are encrypted with, commas between them. Control Tower's key lies in the management account; its key policy must allow the role in the output CombineFunctionRoleArn as well."
  type        = string
  default     = ""
  nullable    = false
}

variable "inventory_buckets" {
  description = "Buckets that S3 writes inventories of the Control Tower buckets to, commas between them; for the work on history, which can go by an inventory instead of a listing. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "bucket_accounts" {
  description = "Buckets of other accounts among those above, and their accounts - name=111122223333, commas between them; a name may be a beginning followed by *. S3 refuses every request to a bucket that is not of the expected account, which is this one unless a bucket is named here."
  type        = string
  default     = ""
  nullable    = false
}

variable "use_common_destination_bucket" {
  description = "Yes - packs go to one bucket, all-aggregated-logs-<account>-<region>, made here. No - each bucket keeps its own packs, under FinalAggregationPrefix; from landing zone 4.0 on Control Tower's own buckets do not allow that."
  type        = string
  default     = "Yes"
  nullable    = false
}

variable "destination_bucket_name" {
  description = "The name of the destination bucket. Empty - all-aggregated-logs-<account>-<region>. Set it when the stack is made and never again; a new name makes a new bucket, and runs then no longer see what is in the old one, which stays."
  type        = string
  default     = ""
  nullable    = false
}

variable "final_aggregation_prefix" {
  description = "The folder in front of packs/ and indexes/ where each bucket keeps its own packs."
  type        = string
  default     = "AggregatedLogs"
  nullable    = false
}

variable "storage_class" {
  description = "The class that packs are written with. Indexes are always STANDARD, so that searching needs no thaw."
  type        = string
  default     = "STANDARD_IA"
  nullable    = false
}

variable "destination_kms_key_arn" {
  description = "The KMS key for packs and indexes. Empty - S3's own (AES256)."
  type        = string
  default     = ""
  nullable    = false
}

variable "search" {
  description = "plain - what people search events by (addresses, principals, access key ids, resources ...) is kept beside each pack, under terms/. off - it is not. Hashed values need a key, which this stack has no place for."
  type        = string
  default     = "plain"
  nullable    = false
}

variable "search_kms_key_arn" {
  description = "The KMS key for what is kept for searching, under terms/ and tables/, so that its policy says who may search. Empty - the one for packs. What is there already keeps the key that it was written with."
  type        = string
  default     = ""
  nullable    = false
}

variable "sign_records_with" {
  description = "The KMS key that each run signs its custody record with - the ARN of an RSA key for SIGN_VERIFY, or new, and the stack makes one, which stays when the stack goes. Empty - records are not signed."
  type        = string
  default     = ""
  nullable    = false
}

variable "object_lock_mode" {
  description = "Object Lock of the destination bucket for ObjectLockDays; nobody can shorten COMPLIANCE. Best set when the stack is made. S3 and CloudFormation switch it on for an existing bucket too, without replacing it, but only what is written from then on is locked; it can never be switched off again, and going back to empty here makes the update fail or leaves the bucket as it is."
  type        = string
  default     = ""
  nullable    = false
}

variable "object_lock_days" {
  description = "Days that each pack and index is locked for. Not more than ExpirationInDays, or packs outlive it."
  type        = number
  default     = 365
  nullable    = false
}

variable "expiration_in_days" {
  description = "Packs, indexes, terms and lists of discarded logs are deleted at this age. More than DaysUntilGlacierDeepArchive."
  type        = number
  default     = 3650
  nullable    = false
}

variable "days_until_glacier_deep_archive" {
  description = "Packs go to Glacier Deep Archive at this age. PCI DSS wants three months at hand, hence 90."
  type        = number
  default     = 90
  nullable    = false
}

variable "glacier_object_size" {
  description = "Only packs larger than this, in bytes, go to Glacier Deep Archive; for smaller ones the move costs more than it saves."
  type        = number
  default     = 204800
  nullable    = false
}

variable "older_aggregates_prefix" {
  description = "A key prefix under which an older stack wrote into the same destination bucket, there a source bucket's name and a slash. Its objects move and expire by the same ages. Empty - there is none, and what lies outside of packs/, indexes/ and discards/ is kept as it is."
  type        = string
  default     = ""
  nullable    = false
}

variable "verify" {
  description = "How packs are verified before originals are deleted. checksum - the CRC64NVME that S3 stores. read-back - besides, every byte is read again."
  type        = string
  default     = "checksum"
  nullable    = false
}

variable "delete_originals" {
  description = "Delete originals whose pack is verified. Without it a run packs and keeps them."
  type        = string
  default     = "false"
  nullable    = false
}

variable "keep_originals_days" {
  description = "With DeleteOriginals, when their pack is this many days old. Begin with 30 to watch it work."
  type        = number
  default     = 0
  nullable    = false
}

variable "holds" {
  description = "What is never touched, as JSON: {\"buckets\": [], \"accounts\": [], \"prefixes\": [], \"dates\": [\"2026-01-01..2026-01-31\"]}."
  type        = string
  default     = "{}"
  nullable    = false
}

variable "objects_max" {
  description = "A run that would touch more log objects touches none."
  type        = number
  default     = 50000000
  nullable    = false
}

variable "schedule_state" {
  description = "DISABLED - nothing runs by itself, and no alarm says so."
  type        = string
  default     = "ENABLED"
  nullable    = false
}

variable "look_back_days" {
  description = "Days before yesterday that the nightly run looks at again for late logs."
  type        = number
  default     = 2
  nullable    = false
}

variable "weekly_look_back_days" {
  description = "Days before yesterday that Sunday's second run looks at. CloudTrail may deliver 30 days late."
  type        = number
  default     = 31
  nullable    = false
}

variable "drill_every_days" {
  description = "Days from one drill to the next, which brings a random sample of the packs' members back and records that. 0 - none."
  type        = number
  default     = 30
  nullable    = false
}

variable "drill_dollars_max" {
  description = "What a drill may spend on thawing packs, in dollars. What costs more is not begun, and an alarm says so."
  type        = number
  default     = 1
  nullable    = false
}

variable "monthly_report" {
  description = "Yes - where all packs are in one bucket, a page for auditors is kept there on the first of each month, and the topic of the alarms gets its link. A topic of yours, and its key, must then allow events.amazonaws.com."
  type        = string
  default     = "Yes"
  nullable    = false
}

variable "control_tower_bucket_access_log_bucket" {
  description = "Landing zones 2.8 to 3.0 let the access-log bucket log itself, without end. Its name here has it EMPTIED every hour, without packs. Empty - off."
  type        = string
  default     = ""
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms go to. Empty - one is made, with a KMS key of its own ($1 a month). An encrypted topic of yours needs a key whose policy allows cloudwatch.amazonaws.com."
  type        = string
  default     = ""
  nullable    = false
}

variable "alarm_email" {
  description = "Who gets the alarms by mail, where the topic is made here. AWS asks this address to confirm."
  type        = string
  default     = ""
  nullable    = false
}

variable "dashboard_name" {
  description = "The name of the CloudWatch dashboard. One for each stack of an account."
  type        = string
  default     = "LogAggregator"
  nullable    = false
}

variable "log_level" {
  description = "From which level on the functions write log lines."
  type        = string
  default     = "INFO"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the functions' and state machines' logs are kept. They are the record of what was deleted when."
  type        = number
  default     = 365
  nullable    = false
}

variable "lambda_insights_layer_arn" {
  description = "The Lambda Insights layer of this region and Architecture, arn:aws:lambda:<region>:<account>:layer:LambdaInsightsExtension-Arm64:<n>. Empty - off."
  type        = string
  default     = ""
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "The policy that bounds every role that the stack makes. It must allow what the functions need. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "role_path" {
  description = "The path of every role that the stack makes. Another path makes new roles, whose ARNs the policies of keys and buckets must then name."
  type        = string
  default     = "/"
  nullable    = false
}

variable "stack_kms_key_arn" {
  description = "The KMS key for the work bucket, the log groups and the functions' environment, in this account and region; its policy must allow CloudWatch Logs. Empty - what AWS encrypts them with by itself."
  type        = string
  default     = ""
  nullable    = false
}

variable "server_access_log_bucket" {
  description = "The bucket that S3 writes the access logs of the destination and work bucket to, under the stack's name; in this account and region, and neither of the two. Empty - none are written."
  type        = string
  default     = ""
  nullable    = false
}

variable "work_bucket_versioning" {
  description = "Yes - the work bucket keeps versions; those of runs for 30 days, those of your declared layouts for good. The destination bucket always keeps versions."
  type        = string
  default     = "No"
  nullable    = false
}

variable "event_bus_arn" {
  description = "The EventBridge bus that gets the end of every run and the changes of every alarm, of this account or of another, whose bus must then allow it. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "success_notice" {
  description = "Yes - the topic of the alarms also gets a message when a run succeeded. A topic of yours, and its key, must then allow events.amazonaws.com."
  type        = string
  default     = "No"
  nullable    = false
}

variable "replica_bucket_arn" {
  description = "The versioned bucket, of another region or account, to which S3 replicates what is written to the destination bucket from then on. Deletions are not replicated. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "replica_account" {
  description = "The account of ReplicaBucketArn, which then owns the replicas. Empty - this account."
  type        = string
  default     = ""
  nullable    = false
}

variable "replica_kms_key_arn" {
  description = "The KMS key for replicas, in the region of ReplicaBucketArn. Needed where DestinationKmsKeyArn is set, and only there."
  type        = string
  default     = ""
  nullable    = false
}

variable "architecture" {
  description = "The functions' processor. Must be the one that they were built for (LAMBDA_ARCHITECTURE)."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "combine_memory_size" {
  description = "Memory of the combining function, in MB. 1769 is what Lambda gives one processor for."
  type        = number
  default     = 1769
  nullable    = false
}

variable "list_concurrency" {
  description = "Listings at once, in each of the two branches; fewer where Lambda's quota has no room for them."
  type        = number
  default     = 20
  nullable    = false
}

variable "pack_concurrency" {
  description = "Work items at once, in each of the two branches; fewer where Lambda's quota has no room for them."
  type        = number
  default     = 20
  nullable    = false
}

variable "history_concurrency" {
  description = "Windows of days at once in ProcessHistoricalMainLogsSM, fewer where Lambda's quota has no room for them. Each is a run of its own, with its own ListConcurrency and PackConcurrency."
  type        = number
  default     = 3
  nullable    = false
}

locals {
  parameters = {
    ControlTowerBucket                = var.control_tower_bucket
    OtherBuckets                      = var.other_buckets
    OrganizationId                    = var.organization_id
    AggregationRegions                = var.aggregation_regions
    OtherRegions                      = var.other_regions
    SourceKmsKeyArns                  = var.source_kms_key_arns
    InventoryBuckets                  = var.inventory_buckets
    BucketAccounts                    = var.bucket_accounts
    UseCommonDestinationBucket        = var.use_common_destination_bucket
    DestinationBucketName             = var.destination_bucket_name
    FinalAggregationPrefix            = var.final_aggregation_prefix
    StorageClass                      = var.storage_class
    DestinationKmsKeyArn              = var.destination_kms_key_arn
    Search                            = var.search
    SearchKmsKeyArn                   = var.search_kms_key_arn
    SignRecordsWith                   = var.sign_records_with
    ObjectLockMode                    = var.object_lock_mode
    ObjectLockDays                    = var.object_lock_days
    ExpirationInDays                  = var.expiration_in_days
    DaysUntilGlacierDeepArchive       = var.days_until_glacier_deep_archive
    GlacierObjectSize                 = var.glacier_object_size
    OlderAggregatesPrefix             = var.older_aggregates_prefix
    Verify                            = var.verify
    DeleteOriginals                   = var.delete_originals
    KeepOriginalsDays                 = var.keep_originals_days
    Holds                             = var.holds
    ObjectsMax                        = var.objects_max
    ScheduleState                     = var.schedule_state
    LookBackDays                      = var.look_back_days
    WeeklyLookBackDays                = var.weekly_look_back_days
    DrillEveryDays                    = var.drill_every_days
    DrillDollarsMax                   = var.drill_dollars_max
    MonthlyReport                     = var.monthly_report
    ControlTowerBucketAccessLogBucket = var.control_tower_bucket_access_log_bucket
    AlarmTopicArn                     = var.alarm_topic_arn
    AlarmEmail                        = var.alarm_email
    DashboardName                     = var.dashboard_name
    LogLevel                          = var.log_level
    LogRetentionDays                  = var.log_retention_days
    LambdaInsightsLayerArn            = var.lambda_insights_layer_arn
    PermissionsBoundaryArn            = var.permissions_boundary_arn
    RolePath                          = var.role_path
    StackKmsKeyArn                    = var.stack_kms_key_arn
    ServerAccessLogBucket             = var.server_access_log_bucket
    WorkBucketVersioning              = var.work_bucket_versioning
    EventBusArn                       = var.event_bus_arn
    SuccessNotice                     = var.success_notice
    ReplicaBucketArn                  = var.replica_bucket_arn
    ReplicaAccount                    = var.replica_account
    ReplicaKmsKeyArn                  = var.replica_kms_key_arn
    Architecture                      = var.architecture
    CombineMemorySize                 = var.combine_memory_size
    ListConcurrency                   = var.list_concurrency
    PackConcurrency                   = var.pack_concurrency
    HistoryConcurrency                = var.history_concurrency
  }
}
