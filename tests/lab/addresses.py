"""Who has which address in the laboratory; every one exists only inside the session's own namespaces."""

#: Mooring's side: what an administrator would be told to allow, and what it would not.
STATIC = ("10.99.0.10", "10.99.0.11")
DYNAMIC = ("10.99.0.20", "10.99.0.21")
OTHER = ("10.99.0.30", "10.99.0.31", "10.99.0.32", "10.99.0.33")
STATIC6 = ("fd99::10", "fd99::11")
DYNAMIC6 = ("fd99::20", "fd99::21")
OTHER6 = ("fd99::30", "fd99::31")

#: What the kernel chooses for a connection that nobody bound: a server that sees it has caught a leak.
UNBOUND = "10.99.0.99"
UNBOUND6 = "fd99::99"

#: In the network, but on no interface.
UNPLUMBED = "10.99.0.12"

#: The servers' side.
SERVER = "10.99.0.1"
SERVER_OTHER = "10.99.0.2"
SERVER6 = "fd99::1"
SERVER_OTHER6 = "fd99::2"
#: Outside every private range, so that it is dialled without ``allow_private_targets``.
SERVER_PUBLIC = "45.99.0.1"

#: The proxies' side; Mooring's host does not have them.
PROXIES = ("10.99.1.40", "10.99.1.41", "10.99.1.42", "10.99.1.43")
PROXY_GATEWAY = "10.99.1.1"

#: The names that /etc/hosts knows from the start.
HOSTS: dict[str, tuple[str, ...]] = {
    "lab.test": (SERVER,),
    "mail.lab.test": (SERVER,),
    "imap.lab.test": (SERVER,),
    "smtp.lab.test": (SERVER,),
    "dav.lab.test": (SERVER,),
    "dual.lab.test": (SERVER6, SERVER),
    "v6.lab.test": (SERVER6,),
    "expired.lab.test": (SERVER,),
    "selfsigned.lab.test": (SERVER,),
    "wrongname.lab.test": (SERVER,),
    "moved.lab.test": (SERVER_OTHER,),
    "mail.example.test": (SERVER_OTHER,),
    "mail.public.test": (SERVER_PUBLIC,),
    "proxy.lab.test": (PROXIES[0],),
}

#: Names under which the servers show a certificate that a client must refuse.
BADLY_CERTIFIED = ("expired.lab.test", "selfsigned.lab.test", "wrongname.lab.test")

#: Names that the laboratory's good certificate covers.
CERTIFIED = tuple(name for name in HOSTS if name not in BADLY_CERTIFIED)
