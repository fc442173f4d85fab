"""Notifications to the merchant's own endpoint: received here and passed on, sent, sent again.

A delivery is what 88Pay documents: a POST that counts only when 200 comes back within five
seconds. The spacing of retries is the local sandbox's; 88Pay does not document its own.
"""

from pay88kit.relay.delivery import check_address as check_address
from pay88kit.relay.delivery import deliver as deliver
from pay88kit.relay.delivery import is_here as is_here
from pay88kit.relay.delivery import told as told
from pay88kit.relay.forwarding import QUICK as QUICK
from pay88kit.relay.listening import Listener as Listener
from pay88kit.relay.outgoing import Outgoing as Outgoing
from pay88kit.relay.outgoing import compose as compose
from pay88kit.relay.outgoing import read as read
from pay88kit.relay.outgoing import sign as sign
from pay88kit.relay.receiving import Watch as Watch
