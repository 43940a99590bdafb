"""The providers of everybody's mailboxes, by the domains of their users' addresses.

Origin: what each operator tells users of mail programs, as known in November 2026; nothing here was dialled. Whoever
changes an entry dates it.
"""

from mooring.providers.entries import APP_PASSWORD, OAUTH_ONLY, Known, caldav, imap, smtp, words
from mooring.providers.types import Provider, Username

MAILBOXES = (
    Known(
        "gmail",
        (imap("imap.gmail.com"), smtp("smtp.gmail.com")),
        words("gmail.com googlemail.com"),
        (".l.google.com", ".googlemail.com", "smtp.google.com"),
        Provider.GOOGLE,
        f"Google {APP_PASSWORD}; calendars need OAuth.",
    ),
    Known(
        "outlook",
        (imap("outlook.office365.com"), smtp("smtp-mail.outlook.com", 587)),
        words(
            "outlook.com hotmail.com live.com msn.com passport.com windowslive.com outlook.at outlook.be outlook.cl"
            " outlook.co.id outlook.co.il outlook.co.th outlook.com.ar outlook.com.au outlook.com.br outlook.com.gr"
            " outlook.com.tr outlook.com.vn outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.hu"
            " outlook.ie outlook.in outlook.it outlook.jp outlook.kr outlook.lv outlook.my outlook.ph outlook.pt"
            " outlook.sa outlook.sg outlook.sk hotmail.be hotmail.ca hotmail.ch hotmail.co.il hotmail.co.jp"
            " hotmail.co.th hotmail.co.uk hotmail.com.ar hotmail.com.au hotmail.com.br hotmail.com.tr hotmail.de"
            " hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.it hotmail.nl hotmail.no hotmail.se"
            " live.at live.be live.ca live.cl live.cn live.co.uk live.com.ar live.com.au live.com.mx live.com.pt"
            " live.de live.dk live.fi live.fr live.ie live.in live.it live.jp live.nl live.no live.ru live.se"
        ),
        (".olc.protection.outlook.com",),
        Provider.MICROSOFT,
        f"Microsoft {OAUTH_ONLY}.",
    ),
    Known(
        "yahoo",
        (imap("imap.mail.yahoo.com"), smtp("smtp.mail.yahoo.com"), caldav("caldav.calendar.yahoo.com")),
        words(
            "yahoo.com ymail.com rocketmail.com myyahoo.com yahoo.at yahoo.be yahoo.ca yahoo.cl yahoo.co.id yahoo.co.in"
            " yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.co"
            " yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw"
            " yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in"
            " yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro yahoo.se"
        ),
        (".yahoodns.net",),
        Provider.YAHOO,
        f"Yahoo {APP_PASSWORD}.",
    ),
    Known(
        "icloud",
        (
            imap("imap.mail.me.com", username=Username.LOCAL_PART),
            smtp("smtp.mail.me.com", 587),
            caldav("caldav.icloud.com"),
        ),
        words("icloud.com me.com mac.com"),
        (".mail.icloud.com",),
        Provider.ICLOUD,
        f"iCloud {APP_PASSWORD}.",
    ),
    Known(
        "aol",
        (imap("imap.aol.com"), smtp("smtp.aol.com")),
        words("aol.com aim.com love.com games.com wow.com aol.de aol.fr aol.it aol.co.uk verizon.net"),
        note=f"AOL {APP_PASSWORD}.",
    ),
    Known(
        "gmx",
        (imap("imap.gmx.net"), smtp("mail.gmx.net"), caldav("caldav.gmx.net")),
        words("gmx.de gmx.net gmx.at gmx.ch gmx.org gmx.info gmx.eu gmx.biz"),
        note="GMX lets mail programs in only after the user has switched that on in the settings.",
    ),
    Known("gmx.com", (imap("imap.gmx.com"), smtp("mail.gmx.com")), words("gmx.com gmx.us gmx.co.uk gmx.fr gmx.es")),
    Known(
        "web.de",
        (imap("imap.web.de"), smtp("smtp.web.de", 587), caldav("caldav.web.de")),
        words("web.de email.de"),
        note="WEB.DE lets mail programs in only after the user has switched that on in the settings.",
    ),
    Known("mail.com", (imap("imap.mail.com"), smtp("smtp.mail.com")), words("mail.com email.com usa.com europe.com")),
    Known(
        "t-online",
        (imap("secureimap.t-online.de"), smtp("securesmtp.t-online.de")),
        words("t-online.de magenta.de"),
        note="Telekom takes a password for mail programs, which is not that of the account.",
    ),
    Known("freenet", (imap("mx.freenet.de"), smtp("mx.freenet.de", 587)), words("freenet.de")),
    Known("posteo", (imap("posteo.de"), smtp("posteo.de"), caldav("posteo.de", 8443)), words("posteo.de posteo.net")),
    Known(
        "mailbox.org",
        (imap("imap.mailbox.org"), smtp("smtp.mailbox.org"), caldav("dav.mailbox.org")),
        words("mailbox.org"),
        (".mailbox.org",),
    ),
    Known(
        "fastmail",
        (imap("imap.fastmail.com"), smtp("smtp.fastmail.com"), caldav("caldav.fastmail.com")),
        words("fastmail.com fastmail.fm fastmail.de fastmail.net fastmail.org fastmail.to fastmail.us fastmail.jp"),
        (".messagingengine.com",),
        note=f"Fastmail {APP_PASSWORD}.",
    ),
    Known(
        "zoho",
        (imap("imap.zoho.com"), smtp("smtp.zoho.com"), caldav("calendar.zoho.com", path="/caldav/")),
        words("zoho.com zohomail.com"),
    ),
    Known("zoho.eu", (imap("imap.zoho.eu"), smtp("smtp.zoho.eu")), words("zoho.eu zohomail.eu")),
    Known(
        "yandex",
        (imap("imap.yandex.com"), smtp("smtp.yandex.com"), caldav("caldav.yandex.ru")),
        words("yandex.com yandex.ru yandex.by yandex.kz yandex.ua ya.ru"),
        ("mx.yandex.ru", "mx.yandex.net"),
        note=f"Yandex {APP_PASSWORD}.",
    ),
    Known(
        "mail.ru",
        (imap("imap.mail.ru"), smtp("smtp.mail.ru"), caldav("calendar.mail.ru")),
        words("mail.ru inbox.ru list.ru bk.ru internet.ru"),
        ("emx.mail.ru",),
        note=f"Mail.ru {APP_PASSWORD}.",
    ),
    Known(
        "proton",
        domains=words("proton.me protonmail.com protonmail.ch pm.me"),
        mx=(".protonmail.ch",),
        note="Proton Mail has no servers for mail programs: its Bridge runs on the user's own computer, out of reach.",
    ),
    Known("orange", (imap("imap.orange.fr"), smtp("smtp.orange.fr")), words("orange.fr wanadoo.fr")),
    Known("sfr", (imap("imap.sfr.fr"), smtp("smtp.sfr.fr")), words("sfr.fr neuf.fr")),
    Known(
        "free",
        (
            imap("imap.free.fr", username=Username.LOCAL_PART),
            smtp("smtp.free.fr", username=Username.LOCAL_PART),
        ),
        words("free.fr"),
    ),
    Known("libero", (imap("imapmail.libero.it"), smtp("smtp.libero.it")), words("libero.it iol.it inwind.it blu.it")),
    Known("seznam", (imap("imap.seznam.cz"), smtp("smtp.seznam.cz")), words("seznam.cz email.cz post.cz spoluzaci.cz")),
    Known("wp", (imap("imap.wp.pl"), smtp("smtp.wp.pl")), words("wp.pl")),
    Known("o2.pl", (imap("poczta.o2.pl"), smtp("poczta.o2.pl")), words("o2.pl go2.pl tlen.pl")),
    Known(
        "onet", (imap("imap.poczta.onet.pl"), smtp("smtp.poczta.onet.pl")), words("onet.pl op.pl vp.pl poczta.onet.pl")
    ),
    Known("qq", (imap("imap.qq.com"), smtp("smtp.qq.com")), words("qq.com foxmail.com"), note=f"QQ {APP_PASSWORD}."),
    Known("163", (imap("imap.163.com"), smtp("smtp.163.com")), words("163.com"), note=f"163 {APP_PASSWORD}."),
    Known("126", (imap("imap.126.com"), smtp("smtp.126.com")), words("126.com"), note=f"126 {APP_PASSWORD}."),
    Known("naver", (imap("imap.naver.com"), smtp("smtp.naver.com")), words("naver.com")),
    Known("comcast", (imap("imap.comcast.net"), smtp("smtp.comcast.net")), words("comcast.net xfinity.com")),
    Known(
        "att",
        (imap("imap.mail.att.net"), smtp("smtp.mail.att.net")),
        words("att.net sbcglobal.net bellsouth.net pacbell.net swbell.net ameritech.net"),
        note=f"AT&T {APP_PASSWORD}.",
    ),
)
