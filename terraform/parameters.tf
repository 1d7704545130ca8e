# Made by `make docs` from template.yaml. Do not edit: change the template.

variable "control_tower_bucket" {
  description = "The bucket that Control Tower writes CloudTrail and Config to; separate several with commas."
  type        = string
  nullable    = false
}

variable "other_buckets" {
  description = "Buckets with other logs: names, or beginnings of names followed by *, separated by commas. Their packs go to the same place. Logs whose keys are not AWS's stay where they are until they are declared, in the file that the output LayoutsFile names. 30 names of any length fit into IAM's and Lambda's limits; if more do not fit, use beginnings."
  type        = string
  default     = ""
  nullable    = false
}

variable "organization_id" {
  description = "The organisation's id, such as o-abc123defg. Empty - detected."
  type        = string
  default     = ""
  nullable    = false
}

variable "aggregation_regions" {
  description = "Regions whose logs are packed, as a JSON list or separated by commas. [] or empty - all."
  type        = string
  default     = "[]"
  nullable    = false
}

variable "other_regions" {
  description = "What happens to logs of regions that AggregationRegions does not name. delete deletes them without packing them, which is what the older stack did."
  type        = string
  default     = "keep"
  nullable    = false
}

variable "source_kms_key_arns" {
  description = "ARNs of the KMS keys that logs and inventories are encrypted with, separated by commas. Control Tower's key is in the management account; its key policy must also allow the role in the output CombineFunctionRoleArn."
  type        = string
  default     = ""
  nullable    = false
}

variable "inventory_buckets" {
  description = "Buckets that S3 writes inventories of the Control Tower buckets to, separated by commas. The work on history can use an inventory instead of a listing. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "bucket_accounts" {
  description = "Accounts of those buckets above that are not in this account - name=111122223333, separated by commas; a name may be a beginning followed by *. S3 refuses every request to a bucket of an unexpected account, and expects this account unless the bucket is named here."
  type        = string
  default     = ""
  nullable    = false
}

variable "use_common_destination_bucket" {
  description = "Yes - packs go to one bucket, all-aggregated-logs-<account>-<region>, which the stack makes. No - each bucket keeps its own packs, under FinalAggregationPrefix; since landing zone 4.0 Control Tower's own buckets do not allow that."
  type        = string
  default     = "Yes"
  nullable    = false
}

variable "destination_bucket_name" {
  description = "The name of the destination bucket. Empty - all-aggregated-logs-<account>-<region>. Set it when the stack is made, and do not change it later; a new name makes a new bucket, and runs no longer see the packs in the old one, which stays."
  type        = string
  default     = ""
  nullable    = false
}

variable "final_aggregation_prefix" {
  description = "The folder in front of packs/ and indexes/, where each bucket keeps its own packs."
  type        = string
  default     = "AggregatedLogs"
  nullable    = false
}

variable "storage_class" {
  description = "The storage class of packs. Indexes are always STANDARD, so that finding logs needs no thaw."
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
  description = "plain - the values that people search events for (addresses, principals, access key ids, resources ...) are kept next to each pack, under terms/. off - they are not. hashed is not available here, because this stack has no place for its key."
  type        = string
  default     = "plain"
  nullable    = false
}

variable "search_kms_key_arn" {
  description = "The KMS key for what is kept for searching, under terms/ and tables/, so that its policy decides who can search. Empty - the key for packs. Existing objects keep the key that they were written with."
  type        = string
  default     = ""
  nullable    = false
}

variable "sign_records_with" {
  description = "The KMS key that each run signs its custody record with - the ARN of an RSA key for SIGN_VERIFY, or new, which makes the stack create one that stays when the stack is deleted. Empty - records are not signed."
  type        = string
  default     = ""
  nullable    = false
}

variable "object_lock_mode" {
  description = "Object Lock mode of the destination bucket, for ObjectLockDays; COMPLIANCE cannot be shortened by anyone. Best set when the stack is made. S3 and CloudFormation can also switch it on for an existing bucket, without replacing it, but only new objects are locked. It can never be switched off again; changing this back to empty makes the update fail, or leaves the bucket as it is."
  type        = string
  default     = ""
  nullable    = false
}

variable "object_lock_days" {
  description = "Days for which each pack and index is locked. At most ExpirationInDays, because locked packs cannot be deleted."
  type        = number
  default     = 365
  nullable    = false
}

variable "expiration_in_days" {
  description = "Packs, indexes, terms and lists of discarded logs are deleted at this age in days. Must be more than DaysUntilGlacierDeepArchive."
  type        = number
  default     = 3650
  nullable    = false
}

variable "days_until_glacier_deep_archive" {
  description = "Packs move to Glacier Deep Archive at this age in days. 90, because PCI DSS asks for three months to be immediately available."
  type        = number
  default     = 90
  nullable    = false
}

variable "glacier_object_size" {
  description = "Only packs larger than this, in bytes, move to Glacier Deep Archive; for smaller ones the move costs more than it saves."
  type        = number
  default     = 204800
  nullable    = false
}

variable "older_aggregates_prefix" {
  description = "The key prefix that an older stack used in the same destination bucket, which is a source bucket's name and a slash. Its objects move and expire at the same ages. Empty - none, and objects outside packs/, indexes/ and discards/ are kept as they are."
  type        = string
  default     = ""
  nullable    = false
}

variable "verify" {
  description = "How packs are verified before originals are deleted. checksum - by the CRC64NVME that S3 stores. read-back - also by reading every byte again."
  type        = string
  default     = "checksum"
  nullable    = false
}

variable "delete_originals" {
  description = "true - delete originals whose pack is verified. false - pack them and keep them."
  type        = string
  default     = "false"
  nullable    = false
}

variable "keep_originals_days" {
  description = "With DeleteOriginals, originals are deleted once their pack is this many days old. Begin with 30 to watch it work."
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
  description = "A run that would touch more log objects than this touches none."
  type        = number
  default     = 50000000
  nullable    = false
}

variable "schedule_state" {
  description = "DISABLED - nothing runs by itself, and no alarm is raised about that."
  type        = string
  default     = "ENABLED"
  nullable    = false
}

variable "look_back_days" {
  description = "How many days before yesterday the nightly run checks again for late logs."
  type        = number
  default     = 2
  nullable    = false
}

variable "weekly_look_back_days" {
  description = "How many days before yesterday Sunday's second run checks. CloudTrail may deliver 30 days late."
  type        = number
  default     = 31
  nullable    = false
}

variable "drill_every_days" {
  description = "Days from one drill to the next. A drill recovers a random sample of packed log objects, and records the result. 0 - none."
  type        = number
  default     = 30
  nullable    = false
}

variable "drill_dollars_max" {
  description = "Most dollars that a drill may spend on thawing packs. A drill that would cost more is not begun, and an alarm is raised."
  type        = number
  default     = 1
  nullable    = false
}

variable "monthly_report" {
  description = "Yes - if all packs are in one bucket, a page for auditors is stored there on the first of each month, and its link is sent to the alarm topic. A topic of your own, and its key, must then allow events.amazonaws.com."
  type        = string
  default     = "Yes"
  nullable    = false
}

variable "control_tower_bucket_access_log_bucket" {
  description = "Landing zones 2.8 to 3.0 let the access-log bucket log access to itself, without end. If you name it here, it is EMPTIED every hour, without packing. Empty - off."
  type        = string
  default     = ""
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms go to. Empty - the stack makes one, with its own KMS key ($1 a month). An encrypted topic of your own needs a key whose policy allows cloudwatch.amazonaws.com."
  type        = string
  default     = ""
  nullable    = false
}

variable "alarm_email" {
  description = "The address that gets alarms by mail, if the stack makes the topic. AWS asks this address to confirm."
  type        = string
  default     = ""
  nullable    = false
}

variable "dashboard_name" {
  description = "The name of the CloudWatch dashboard. Each stack in an account needs its own."
  type        = string
  default     = "LogAggregator"
  nullable    = false
}

variable "log_level" {
  description = "The lowest level of log lines that the functions write."
  type        = string
  default     = "INFO"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the functions' and state machines' logs are kept. They record what was deleted when."
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
  description = "The permissions boundary of every role that the stack makes. It must allow what the functions need. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "role_path" {
  description = "The path of every role that the stack makes. Changing it makes new roles, whose ARNs the policies of keys and buckets must then name."
  type        = string
  default     = "/"
  nullable    = false
}

variable "stack_kms_key_arn" {
  description = "The KMS key for the work bucket, the log groups and the functions' environment, in this account and region; its policy must allow CloudWatch Logs. Empty - AWS's default encryption."
  type        = string
  default     = ""
  nullable    = false
}

variable "server_access_log_bucket" {
  description = "The bucket that S3 writes access logs of the destination and work bucket to, under the stack's name. It must be in this account and region, and must not be one of the two. Empty - no access logs."
  type        = string
  default     = ""
  nullable    = false
}

variable "work_bucket_versioning" {
  description = "Yes - the work bucket keeps versions, those of runs for 30 days and those of your declared layouts forever. The destination bucket always keeps versions."
  type        = string
  default     = "No"
  nullable    = false
}

variable "event_bus_arn" {
  description = "The EventBridge bus that gets the end of every run and the changes of every alarm. A bus in another account must allow that. Empty - none."
  type        = string
  default     = ""
  nullable    = false
}

variable "success_notice" {
  description = "Yes - the alarm topic also gets a message when a run succeeds. A topic of your own, and its key, must then allow events.amazonaws.com."
  type        = string
  default     = "No"
  nullable    = false
}

variable "replica_bucket_arn" {
  description = "The versioned bucket, in another region or account, to which S3 replicates everything that is written to the destination bucket from then on. Deletions are not replicated. Empty - none."
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
  description = "The KMS key for replicas, in the region of ReplicaBucketArn. Needed if DestinationKmsKeyArn is set, and only then."
  type        = string
  default     = ""
  nullable    = false
}

variable "architecture" {
  description = "The functions' processor. It must be the one that they were built for (LAMBDA_ARCHITECTURE)."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "combine_memory_size" {
  description = "Memory of the combine function, in MB. With 1769 Lambda gives it one whole processor."
  type        = number
  default     = 1769
  nullable    = false
}

variable "list_concurrency" {
  description = "Listings at the same time, in each of the two branches; fewer if Lambda's quota has no room for them."
  type        = number
  default     = 20
  nullable    = false
}

variable "pack_concurrency" {
  description = "Work items at the same time, in each of the two branches; fewer if Lambda's quota has no room for them."
  type        = number
  default     = 20
  nullable    = false
}

variable "history_concurrency" {
  description = "Windows of days at the same time in ProcessHistoricalMainLogsSM; fewer if Lambda's quota has no room for them. Each is a run of its own, with its own ListConcurrency and PackConcurrency."
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
