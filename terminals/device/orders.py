"""What this device is allowed and given: bounds, the right to sell offline, card keys. The server may change them."""

from __future__ import annotations

from dataclasses import replace

from purse.keys import OFFLINE_TILL, ONLINE_TILL, KeyBundle
from purse.policy import Policy
from terminals.device import config as configuration
from terminals.device.config import Config

MAC_ROLES = OFFLINE_TILL - ONLINE_TILL
"""The keys that only a till holds that may sell offline."""


class Orders:
    """What was heard last, also over a restart without the server."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.policy = config.policy
        self.may_sell_offline = config.enrolled.may_sell_offline
        self.card_keys = config.card_keys

    @property
    def lacks_keys(self) -> bool:
        """Whether the keys for what is allowed are still to be fetched."""
        return self.may_sell_offline and not all(self.card_keys.holds(role) for role in MAC_ROLES)

    def heard(self, policy: Policy, *, may_sell_offline: bool) -> None:
        """Take in a heartbeat's answer. Whoever may sell offline no more gives the keys for it away."""
        self.policy, self.may_sell_offline = policy, may_sell_offline
        keys = self.card_keys
        if not may_sell_offline:
            keys = keys.only(role for role in keys.keys if role not in MAC_ROLES)
        self.given(keys)

    def given(self, card_keys: KeyBundle) -> None:
        """Work with these card keys from now on."""
        self.card_keys = card_keys
        enrolled = replace(
            self._config.enrolled,
            policy=self.policy,
            may_sell_offline=self.may_sell_offline,
            card_keys=card_keys.to_json(),
        )
        self._config = configuration.changed(self._config, enrolled)
