"""Writes to the instance in DAGSTER_HOME, beside other processes: writer NAME HOW_OFTEN."""

from __future__ import annotations

import sys

import dagster as dg

PARTITIONS = "written_at_once"
ASSET = dg.AssetKey("written_at_once")


@dg.job
def written() -> None:
    """A job for runs that are only recorded."""


def main(name: str, how_often: int) -> None:
    print("ready", flush=True)  # noqa: T201
    # All begin when standard input ends.
    sys.stdin.read()
    with dg.DagsterInstance.get() as instance:
        for number in range(how_often):
            partition = f"{name}_{number}"
            instance.add_dynamic_partitions(PARTITIONS, [partition])
            instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, partition=partition))
            instance.create_run_for_job(written)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
