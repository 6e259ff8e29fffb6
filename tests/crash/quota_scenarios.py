"""What reaches the injection points of quotas and residencies."""

from tests.crash.scenarios import ARCHIVED, IDS, Scenario

_QUOTA = "select mnemo.set_quota('default', memories => 100, bytes => 1000000, writes_per_minute => 60)"

QUOTA_SCENARIOS = {
    "write within a quota": Scenario(
        ("quota.charged", "remember.written"),
        "select mnemo.remember('again', mnemo.random_hypervector('a'), key => 'h1', tier => 'warm'),"
        " mnemo.remember('new', mnemo.random_hypervector('n'), key => 'new')",
        (_QUOTA,),
    ),
    "forget within a quota": Scenario(
        ("forget.deleted", "quota.charged"), f"select mnemo.forget_many({IDS.format('h2|w3|x4')})", (_QUOTA,)
    ),
    "set a quota": Scenario(("quota.set",), _QUOTA),
    "set a residency": Scenario(
        ("residency.set",), "select mnemo.set_residency('default', '{s3://eu}')", ARCHIVED, days=0
    ),
}
