"""All scenarios of the matrix, and a case for each point of each."""

from tests.crash.quota_scenarios import QUOTA_SCENARIOS
from tests.crash.scenarios import SCENARIOS as ENGINE_SCENARIOS
from tests.crash.vault_scenarios import VAULT_SCENARIOS

SCENARIOS = ENGINE_SCENARIOS | QUOTA_SCENARIOS | VAULT_SCENARIOS
CASES = [(name, point) for name, scenario in SCENARIOS.items() for point in scenario.points]
