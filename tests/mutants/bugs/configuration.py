"""Planted bugs: endpoints, Regions, credentials, and errors about them."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

MATRIX = "tests/unit/adapters/test_configuration_matrix.py"
PLACES = f"{MATRIX}::test_every_request_goes_where_botocore_would_send_it"
OWNERS = f"{MATRIX}::test_aws_sts_is_asked_for_the_account_on_every_route_to_aws"
ERRORS = "tests/unit/adapters/test_configuration_errors.py"
ENDED = "tests/unit/adapters/test_credentials_that_end.py"
RUNS = "tests/unit/steps/packing/test_credentials_end.py"

CONFIGURATION = Section(
    "Endpoints, Regions and credentials",
    (
        Mutant(
            "init-among-logs",
            "init suggests a destination bucket that holds other logs, which a run refuses or "
            "packs as well",
            in_symbol(
                "log_aggregator.cli.init:_check_destination",
                ("name in occupied", "False"),
            ),
            proof="tests/unit/cli/test_init_command.py::test_wrong_arguments_are_refused",
        ),
        Mutant(
            "init-replaces-rules",
            "init prints commands that replace the lifecycle and policy of a bucket in use",
            in_symbol(
                "log_aggregator.reports.init.report:_describe_destination",
                (
                    "[] if choices.is_made else _make_lines(choices.destination, written.form)",
                    "_make_lines(choices.destination, written.form)",
                ),
            ),
            proof="tests/unit/cli/test_init_command.py::test_an_existing_bucket_keeps_its_rules",
        ),
        Mutant(
            "variable-beats-flag",
            "`AWS_ENDPOINT_URL_S3` overrides `--endpoint-url`",
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
            "bucket owners are not checked when S3 is reached through PrivateLink",
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
            "bucket owners are not checked in China or the European Sovereign Cloud",
            in_symbol(
                "log_aggregator.adapters.s3.regions:is_aws",
                ("host.endswith(f'.{suffix}')", "host.endswith('.amazonaws.com')"),
            ),
            proof=OWNERS,
        ),
        Mutant(
            "region-variable-unknown",
            "`AWS_REGION` is ignored, and everything is signed for us-east-1",
            in_symbol(
                "log_aggregator.adapters.s3.configuration:REGION_VARIABLES",
                ("('AWS_DEFAULT_REGION', 'AWS_REGION')", "('AWS_DEFAULT_REGION',)"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "services-at-the-endpoint-of-s3",
            "STS and KMS requests go to S3's PrivateLink endpoint, which serves neither",
            in_symbol(
                "log_aggregator.adapters.s3.clients:make_service_client",
                ("None if is_at_aws else settings.endpoint_url", "settings.endpoint_url"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "style-of-the-profile-overruled",
            "a server that wants bucket names in host names gets them in paths",
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
            "listings use the proxy, but reads bypass it",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._find_place",
                ("proxies.proxy_url_for(request.url) or ''", "''"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "reads-trust-others",
            "a CA set in the profile is used for listings but not for reads",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._make_handle",
                ("get_cert_path(verify)", "get_cert_path(True)"),
            ),
            proof=PLACES,
        ),
        Mutant(
            "bucket-not-followed",
            "a bucket in another Region can be listed, but every read from it fails",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._find_place",
                ("self.regions.find(bucket)", "pass"),
            ),
            proof="tests/unit/adapters/test_other_regions.py",
        ),
        Mutant(
            "region-asked-again-and-again",
            "each read asks anew for the Region of a bucket that cannot be followed",
            in_symbol(
                "log_aggregator.adapters.s3.regions:Regions.find",
                ("self._wrong[bucket] = error", "pass"),
            ),
            proof="tests/unit/adapters/test_other_regions.py",
        ),
        Mutant(
            "signed-beyond-the-end",
            "reads are signed with expired credentials",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer._begin",
                ("math.inf if end is None else end.timestamp()", "math.inf"),
            ),
            proof=ENDED,
        ),
        Mutant(
            "ended-for-the-container",
            "once credentials were refused, every later invocation of the same container fails",
            in_symbol(
                "log_aggregator.handlers.entry:_connect",
                (
                    "connect_store(Connection(), readers, accounts)",
                    "attend(connect_store(Connection(), readers, accounts))",
                ),
            ),
            proof="tests/unit/handlers/test_entry.py::test_a_refusal_is_forgotten_by_the_next_invocation",
        ),
        Mutant(
            "ended-and-asked-again",
            "after credentials expire, thousands more requests are sent for S3 to refuse",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore._admit_any",
                ("raise _not_asked(call, self._refusal)", "pass"),
            ),
            proof=f"{ENDED} {RUNS}",
        ),
        Mutant(
            "ended-and-nobody-told",
            "a run whose credentials expire looks complete",
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
            "an endpoint without a scheme fails with a botocore ValueError that does not name the "
            "setting",
            in_symbol(
                "log_aggregator.adapters.s3.clients:_make_clients",
                ("check_endpoint(endpoint)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "certificates-not-checked",
            "a missing CA bundle is reported only after many retries, as a network failure",
            in_symbol(
                "log_aggregator.adapters.s3.clients:_make_clients",
                ("check_client(session, client)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "brokers-answer-believed",
            "a credential process that returns no secret, or a number, causes a traceback",
            in_symbol(
                "log_aggregator.adapters.s3.credentials:GuardedCredentials.get_frozen_credentials",
                ("_check_text(frozen)", "pass"),
            ),
            proof=ERRORS,
        ),
        Mutant(
            "password-of-the-proxy-shown",
            "a message with the proxy's password is written to logs",
            in_symbol(
                "log_aggregator.adapters.s3.configuration:check_client",
                ("hide_password(proxy.value)", "proxy.value"),
            ),
            proof=ERRORS,
        ),
    ),
)
