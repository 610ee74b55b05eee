"""Submit descriptions of HTCondor: their commands, which HTCondor does not check, and how a text is written in one.

A misspelt command is a macro that nobody reads: ``request_memry = 4000`` asks for nothing, and no tool says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from l1emu.errors import L1emuError

_OF_THE_MANUAL = """
accounting_group accounting_group_user allowed_execute_duration allowed_job_duration append_files args arguments
batch_name batch_project batch_runtime checkpoint_destination checkpoint_exit_code compress_files concurrency_limits
concurrency_limits_expr container_image container_service_names container_target_dir core_size coresize
cron_day_of_month cron_day_of_week cron_hour cron_minute cron_month cron_prep_time cron_window cuda_version dagman_log
deferral_prep_time deferral_time deferral_window description docker_image docker_network_type
docker_override_entrypoint docker_pull_policy dont_encrypt_input_files dont_encrypt_output_files email_attributes
encrypt_execute_directory encrypt_input_files encrypt_output_files env environment erase_output_and_error_on_restart
error executable fetch_files file_remaps getenv gpus_maximum_capability gpus_minimum_capability gpus_minimum_memory
gpus_minimum_runtime grid_resource hold hold_kill_sig hookkeyword image_size initial_dir initialdir input
job_ad_information_attrs job_batch_name job_lease_duration job_machine_attrs job_machine_attrs_history_length
job_max_vacate_time keep_claim_idle kill_sig kill_sig_timeout leave_in_queue load_profile local_files log log_xml
manifest manifest_dir match_list_length materialize_max_idle max_idle max_job_retirement_time max_materialize
max_retries max_transfer_input_mb max_transfer_output_mb mount_under_scratch next_job_start_delay nice_user noop_job
noop_job_exit_code noop_job_exit_signal notification notify_user on_exit_hold on_exit_hold_reason on_exit_hold_subcode
on_exit_remove output output_destination output_directory periodic_hold periodic_hold_reason periodic_hold_subcode
periodic_release periodic_remove periodic_vacate preserve_relative_paths primary_unix_group priority
public_input_files rank remote_initialdir remove_kill_sig request_cpu request_cpus request_disk request_gpu
request_gpus request_memory require_gpus requirements retry_request_memory retry_request_memory_increase
retry_request_memory_max retry_until run_as_owner s3_access_key_id_file s3_secret_access_key_file scitokens_file shell
should_transfer_files skip_filechecks skip_if_dataflow ssh_to_job_allowed stack_size starter_debug starter_log stdin
stream_error stream_input stream_output submit_event_notes submit_event_user_notes success_exit_code
suspend_job_at_exec transfer_checkpoint_files transfer_container transfer_error transfer_executable
transfer_input_files transfer_output transfer_output_files transfer_output_remaps transfer_plugins ulog_execute_attrs
universe use_oauth_services use_scitokens use_x509userproxy want_graceful_removal want_io_proxy want_job_networking
want_remote_io when_to_transfer_output x509userproxy
"""
"""Those that the manual's condor_submit has, without what only grids, clouds and virtual machines have."""

_COMMANDS = frozenset(_OF_THE_MANUAL.split())

_LINE = re.compile(r"\s*(?P<plus>\+|my\.)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)(?P<value>.*)", re.IGNORECASE)


def check_description(lines: Iterable[str], where: str) -> None:
    """Check the lines ``key = value`` of a submit description.

    An attribute of the job (``+Name``, ``MY.Name``) may have any name, ``<service>_oauth_...`` too.

    Raises
    ------
    L1emuError
        for what is no such line, and for a key that is no command.
    """
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None or not found["value"].strip():
            raise L1emuError("no line of a submit description", where=where, value=line, expected="key = value")
        if found["value"].rstrip().endswith("\\"):
            raise L1emuError("a line that another continues", where=where, value=line, expected="one line each")
        key = found["key"].lower()
        if found["plus"] is None and key not in _COMMANDS and "_oauth_" not in key:
            close = difflib.get_close_matches(key, _COMMANDS, n=1)
            hint = f"{close[0]!r}, perhaps" if close else "a command of HTCondor's, or +Name for an attribute"
            raise L1emuError("no command of a submit description", where=where, value=found["key"], expected=hint)


def written(text: str, where: str, *, listed: bool = False) -> str:
    """`text` as the value of a command, which is not to be expanded.

    Parameters
    ----------
    text
        A path or a word.
    where
        What it is, for an error.
    listed
        Whether it stands in a list.

    Raises
    ------
    L1emuError
        if HTCondor cannot be told this text.
    """
    if (
        re.search(r"[\x00-\x1f\ud800-\udfff]", text)
        or text != text.strip()
        or text.endswith("\\")
        or (listed and "," in text)
    ):
        raise L1emuError("HTCondor cannot be told this name", where=where, value=text, expected="a plainer one")
    return text.replace("$", "$(DOLLAR)")
