"""The configuration that the demonstration's Mooring runs with."""

from ipaddress import IPv4Address
from pathlib import Path

from mooring.config import load_config
from mooring.demo.running import Layout
from mooring.demo.story import DYNAMIC, STATIC


def test_the_configuration_declares_the_two_environments(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path / "authority.pem", 8123, STATIC, DYNAMIC)
    layout.write_config()
    config = load_config(layout.config, {})
    pools = {str(pool.environment): [source.address for source in pool.sources] for pool in config.egress.pools}
    assert pools == {"v3-us-static": list(STATIC), "v3-us-dynamic": list(DYNAMIC)}
    assert config.database.embedded == tmp_path / "data"
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8123)
    assert any(IPv4Address("127.0.30.1") in network for network in config.policy.allow_private_targets)
