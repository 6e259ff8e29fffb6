"""Searching an archive in a bucket, over a line that fails."""

from pathlib import Path

import psycopg
import pytest

from engine import Mnemo
from engine.archive import open_objects
from engine.archive.cache import shared_cache
from tests.archive.by_hand import archive_cold
from tests.archive.planted import planted
from tests.conftest import DatabaseFactory
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.memories import Draft, brute_force, remember_all
from tests.support.object_servers import ObjectServer

BITS, ROWS = 4_096, 160


@pytest.mark.s3
@pytest.mark.usefixtures("s3_credentials")
async def test_an_archive_in_a_bucket_answers_or_is_left_out(
    database_factory: DatabaseFactory, moto_server: ObjectServer, tmp_path: Path
) -> None:
    dsn = database_factory(BITS, 256)
    hdvs, _ = planted(ROWS + 1, BITS, 6, seed=2)
    url = f"s3://{moto_server.new_bucket()}/prefix"
    with psycopg.connect(dsn, autocommit=True) as connection:
        drafts = [Draft(f"memory {n}", hdv, tier="cold") for n, hdv in enumerate(hdvs[:ROWS])]
        ids = remember_all(connection, drafts)
    async with open_objects(moto_server.settings(url)) as store:
        assert await archive_cold(dsn, store) == ROWS
    right = brute_force(hdvs[ROWS], hdvs[:ROWS], ids, 10)

    with FaultProxy(moto_server.endpoint_url) as proxy:
        settings = moto_server.behind(proxy.url).settings(url, retries=2)
        async with Mnemo.open(dsn, settings=settings) as mnemo:
            faults: list[Fault] = ["slow_down", "error", "reset", "truncated", "flipped", "refused", "whole"]
            for fault in faults:
                shared_cache(0).clear()
                rule = proxy.fail(fault, method="GET")
                recall = await mnemo.search(hdvs[ROWS], exact=True, archive=True)
                assert rule.hits == 1, fault
                assert recall.unreachable == (), fault
                assert [(hit.distance, hit.memory_id) for hit in recall] == right, fault
            shared_cache(0).clear()
            proxy.fail("refused", times=1000)
            recall = await mnemo.search(hdvs[ROWS], archive=True)
            assert (recall.unreachable, len(recall)) == (("archive",), 0)
            proxy.clear()
            recall = await mnemo.search(hdvs[ROWS], exact=True, archive=True)
            assert recall.unreachable == ()
            assert [hit.memory_id for hit in recall] == [memory_id for _, memory_id in right]
