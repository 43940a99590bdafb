"""Where domains of one's own are kept: providers that are known by the hosts that take the mail.

Origin: what each operator tells users of mail programs, as known in November 2026; nothing here was dialled. Whoever
changes an entry dates it.
"""

from mooring.providers.entries import OAUTH_ONLY, Known, caldav, imap, smtp, words
from mooring.providers.types import Provider

HOSTING = (
    Known(
        "office365",
        (imap("outlook.office365.com"), smtp("smtp.office365.com", 587)),
        mx=(".mail.protection.outlook.com", ".mx.microsoft"),
        autodiscover="autodiscover.outlook.com",
        provider=Provider.MICROSOFT,
        note=f"Microsoft 365 {OAUTH_ONLY}.",
    ),
    Known(
        "zoho", (imap("imappro.zoho.com"), smtp("smtppro.zoho.com")), mx=("mx.zoho.com", "mx2.zoho.com", "mx3.zoho.com")
    ),
    Known(
        "zoho.eu", (imap("imappro.zoho.eu"), smtp("smtppro.zoho.eu")), mx=("mx.zoho.eu", "mx2.zoho.eu", "mx3.zoho.eu")
    ),
    Known("ionos", (imap("imap.ionos.de"), smtp("smtp.ionos.de")), mx=(".kundenserver.de", ".ionos.de")),
    Known("ionos.com", (imap("imap.ionos.com"), smtp("smtp.ionos.com")), mx=(".ionos.com", ".1and1.com")),
    Known("ionos.co.uk", (imap("imap.ionos.co.uk"), smtp("smtp.ionos.co.uk")), mx=(".ionos.co.uk", ".1and1.co.uk")),
    Known("strato", (imap("imap.strato.de"), smtp("smtp.strato.de")), mx=(".rzone.de",)),
    Known("ovh", (imap("ssl0.ovh.net"), smtp("ssl0.ovh.net")), mx=(".mail.ovh.net",)),
    Known("gandi", (imap("mail.gandi.net"), smtp("mail.gandi.net")), mx=(".mail.gandi.net",)),
    Known(
        "infomaniak",
        (imap("mail.infomaniak.com"), smtp("mail.infomaniak.com"), caldav("sync.infomaniak.com")),
        words("ik.me ikmail.com"),
        (".infomaniak.ch",),
    ),
    Known("godaddy", (imap("imap.secureserver.net"), smtp("smtpout.secureserver.net")), mx=(".secureserver.net",)),
    Known("rackspace", (imap("secure.emailsrvr.com"), smtp("secure.emailsrvr.com")), mx=(".emailsrvr.com",)),
    Known("privateemail", (imap("mail.privateemail.com"), smtp("mail.privateemail.com")), mx=(".privateemail.com",)),
    Known("hostinger", (imap("imap.hostinger.com"), smtp("smtp.hostinger.com")), mx=(".hostinger.com",)),
    Known("titan", (imap("imap.titan.email"), smtp("smtp.titan.email")), mx=(".titan.email",)),
    Known("migadu", (imap("imap.migadu.com"), smtp("smtp.migadu.com")), mx=(".migadu.com",)),
    Known("qq", (imap("imap.exmail.qq.com"), smtp("smtp.exmail.qq.com")), mx=("mxbiz1.qq.com", "mxbiz2.qq.com")),
    Known("lark", (imap("imap.larksuite.com"), smtp("smtp.larksuite.com")), mx=(".larksuite.com",)),
)
