"""Buckets of length against Tensor2Tensor's tables, with the options that each table tells."""

from __future__ import annotations

import json

import pytest

from kt2t.data.buckets import geometric_buckets

NEVER = 10**9


@pytest.mark.cases("util_batching_scheme")
def test_every_table(case):
    tables = json.loads(str(case["out/tables_json"]))
    assert tables
    for table in tables:
        given, wanted = table["args"], table["result"]
        buckets = geometric_buckets(
            given["batch_size"],
            given["max_length"],
            given["min_length_bucket"],
            given["length_bucket_step"],
            given["shard_multiplier"],
            given["length_multiplier"],
        )
        assert list(buckets.boundaries) == wanted["boundaries"], given
        assert list(buckets.rows) == wanted["batch_sizes"], given
        assert wanted["max_length"] == (buckets.longest if given["drop_long_sequences"] else NEVER), given
        assert buckets.waiting == wanted["shuffle_queue_size"], given
