"""Planted bugs: where requests go, in whose name, and what is said where they cannot."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

MATRIX = "tests/unit/adapters/test_configuration_matrix.py"
PLACES = f"{MATRIX}::test_every_request_goes_where_botocore_would_send_it"
OWNERS = f"{MATRIX}::test_awss_account_is_asked_for_whatever_way_leads_to_aws"
ERRORS = "tests/unit/adapters/test_configuration_errors.py"
ENDED = "tests/unit/adapters/test_credentials_that_end.py"
RUNS = "tests/unit/steps/packing/test_credentials_end.py"

CONFIGURATION = Section(
    "Where requests go, and in whose name",
    (
        Mutant(
            "init-among-logs",
            "init proposes to keep packs in a bucket that other logs lie in, and a run refuses or eats them",
            in_symbol(
                "log_aggregator.cli.init:_check_destination",
                ("name in occupied", "False"),
            ),
            proof="tests/unit/cli/test_init_command.py::test_what_is_asked_for_wrongly",
        ),
        Mutant(
            "init-replaces-rules",
            "init prints commands that replace the lifecycle and the policy of a bucket in use",
            in_symbol(
                "log_aggregator.reports.init.report:_describe_destination",
                (
                    "[] if choices.is_made else _make_lines(choices.destination, written.form)",
                    "_make_lines(choices.destination, written.form)",
                ),
            ),
            proof="tests/unit/cli/test_init_command.py::test_a_bucket_that_is_there_is_left_as_it_is",
        ),
        Mutant(
            "variable-beats-flag",
            "`AWS_ENDPOINT_URL_S3` decides, and `--endpoint-url` does not",
            in_symbol(
                "log_aggregator.adapters.s3.configuration:find_endpoint",
                (
                    "named is not None",
                    "named is not None and not _find_variable('AWS_ENDPOINT_URL_S3')",
                ),
            ),
            proof=PLACES,
        ),
        Mutant(
            "private-link-is-not-aws",
            "behind a PrivateLink nobody asks whose the buckets are",
            in_symbol(
                "log_aggregator.adapters.s3.regions:is_aws",
                (
                    "host.endswith(f'.{suffix}')",
                    "host.endswith(f'.{suffix}') and 'vpce' not in host",
                ),
            ),
            proof=OWNERS,
        ),
        Mutant(
            "one-partition-is-aws",
            "in China and in the sovereign cloud nobody asks whose the buckets are",
            in_symbol(
                "log_aggregator.adapters.s3.regions:is_aws",
                ("host.endswith(f'.{suffix}')", "host.endswith('.amazonaws.com')"),
            ),
            proof=OWNERS,
        ),
        Mutant(
            "region-variable-unknown",
            "`AWS_REGION` alone is not looked at: everything is signed for us-east-1",
            in_symbol(
                "log_aggregator.adapters.s3.configuration:REGION_VARIABLES",
                ("('AWS_DEFAULT_REGION', 'AWS_REGION')", "('AWS_DEFAULT_REGION',)"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "services-at-the-endpoint-of-s3",
            "STS and KMS are asked at S3's PrivateLink, which has neither",
            in_symbol(
                "log_aggregator.adapters.s3.clients:make_service_client",
                ("None if is_at_aws else settings.endpoint_url", "settings.endpoint_url"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "style-of-the-profile-overruled",
            "a server that wants buckets in host names is asked by path",
            in_symbol(
                "log_aggregator.adapters.s3.clients:make_client",
                (
                    "{'payload_signing_enabled': is_plain}",
                    "{'payload_signing_enabled': is_plain, 'addressing_style': 'auto'}",
                ),
            ),
            proof=PLACES,
        ),
        Mutant(
            "reads-past-the-proxy",
            "lists go by the proxy, reads do not",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._find_place",
                ("proxies.proxy_url_for(request.url) or ''", "''"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "reads-trust-others",
            "a CA of the profile's counts for lists, and not for reads",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._make_handle",
                ("get_cert_path(verify)", "get_cert_path(True)"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "bucket-not-followed",
            "a bucket in another Region is listed there, and 64 reads fail here",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._find_place",
                ("self.regions.find(bucket)", "pass"),
            ),
            proof="tests/unit/adapters/test_other_regions.py",
        ),
        Mutant(
            "region-asked-again-and-again",
            "each read asks anew where a bucket is that cannot be followed",
            in_symbol(
                "log_aggregator.adapters.s3.regions:Regions.find",
                ("self._wrong[bucket] = error", "pass"),
            ),
            proof="tests/unit/adapters/test_other_regions.py",
        ),
        Mutant(
            "signed-beyond-the-end",
            "reads are signed with credentials that have ended",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer._begin",
                ("math.inf if end is None else end.timestamp()", "math.inf"),
            ),
            proof=ENDED,
        ),
        Mutant(
            "ended-for-the-container",
            "once credentials were refused every later invocation of the same container fails",
            in_symbol(
                "log_aggregator.handlers.entry:_connect",
                (
                    "connect_store(Connection(), readers, accounts)",
                    "attend(connect_store(Connection(), readers, accounts))",
                ),
            ),
            proof="tests/unit/handlers/test_entry.py::test_what_was_refused_once_is_asked_again_by_the_next_invocation",
        ),
        Mutant(
            "ended-and-asked-again",
            "after credentials have ended thousands of requests are sent that S3 refuses",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore._admit_any",
                ("raise _not_asked(call, self._refusal)", "pass"),
            ),
            proof=f"{ENDED} {RUNS}",
        ),
        Mutant(
            "ended-and-nobody-told",
            "a run whose credentials end looks as if all was done",
            (
                *in_symbol(
                    "log_aggregator.steps.packing.run:run",
                    ("result.failures.append(Failure.of(REST, error))", "pass"),
                ),
                *in_symbol(
                    "log_aggregator.steps.packing.run:_run_window",
                    ("done.failures.append(Failure.of(REST, error))", "pass"),
                ),
            ),
            proof=RUNS,
        ),
        Mutant(
            "endpoints-not-checked",
            "an endpoint without a scheme ends in botocore's ValueError, without its name",
            in_symbol(
                "log_aggregator.adapters.s3.clients:_make_clients",
                ("check_endpoint(endpoint)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "certificates-not-checked",
            "a CA bundle that is not there is told after many attempts, as a network that is down",
            in_symbol(
                "log_aggregator.adapters.s3.clients:_make_clients",
                ("check_client(session, client)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "brokers-answer-believed",
            "what a credential process says without a secret or with numbers ends in a traceback",
            in_symbol(
                "log_aggregator.adapters.s3.credentials:GuardedCredentials.get_frozen_credentials",
                ("_check_text(frozen)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "password-of-the-proxy-shown",
            "a message with the proxy's password goes into logs",
            in_symbol(
                "log_aggregator.adapters.s3.configuration:check_client",
                ("hide_password(proxy.value)", "proxy.value"),
            ),
            proof=ERRORS,
        ),
    ),
)
