"""The mailbox of a harbour office: thirty-odd letters, in threads and in several scripts, one with a file."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

ACCOUNT = "ann@harbour.test"
"""Whose mailbox it is."""

INBOX, SENT = "INBOX", "Sent"
"""Where its letters lie."""

_ANN = ("Ann Archer", ACCOUNT)
_BJORN = ("Björn Åkesson", "bjorn@pilots.test")
_CHIARA = ("Chiara D'Angelo", "chiara@survey.test")
_DMITRI = ("Дмитрий Соколов", "dmitri@baltic-lines.test")
_HANAKO = ("山田 花子", "hanako@kaiun.test")
_LEILA = ("ليلى حداد", "leila@marina.test")
_NIKOS = ("Νίκος Παπαδόπουλος", "nikos@ferries.test")
_OFFICE = ("Harbour Office", "office@harbour.test")
_SAMUEL = ("Samuel Osei", "samuel@chandlers.test")
_WEATHER = ("Coastal Weather", "forecast@weather.test")

_TIDES = (
    "day,high water,low water\nMon,03:12,09:25\nTue,04:01,10:14\nWed,04:52,11:06\nThu,05:47,12:01\nFri,06:45,12:58\n"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, ready to be delivered.

    Attributes:
        sent: it was written by the mailbox's owner, and lies in Sent.
    """

    raw: bytes = field(repr=False)
    at: datetime
    flags: tuple[str, ...]
    sent: bool


@dataclass(frozen=True, slots=True)
class _Note:
    """A message as it is told: how many hours ago, by whom, and in which thread (the first of a thread names it)."""

    hours: float
    sender: tuple[str, str]
    thread: str
    text: str
    unread: bool = False
    flagged: bool = False
    attachment: tuple[str, str] | None = None


_QUAY = "Quay 4: survey before the winter"
_LINES = "Neue Festmacherleinen / new mooring lines"
_BALTIC = "Прибытие «Балтики» в четверг"
_KAIUN = "第三四半期の港湾使用料について"
_MARINA = "جدول صيانة الأرصفة"
_FERRY = "Δρομολόγια χειμώνα"
_GALE = "Gale warning: Thursday night"
_KEYS = "Lost: keys to the pilot boat"
_DINNER = "Crew dinner on the 12th?"
_TABLES = "Tide tables for next week"

_NOTES = (
    _Note(900, _OFFICE, "Welcome to the harbour office", "Dear Ann, your desk is the one with the view of the cranes."),
    _Note(740, _SAMUEL, _LINES, "Morning Ann, the 64 mm lines are back in stock. Shall I put eight aside for quay 4?"),
    _Note(738, _ANN, _LINES, "Eight is right. Bitte die mit den verstärkten Augen – größere Schiffe im Frühjahr."),
    _Note(735, _SAMUEL, _LINES, "Verstanden. Eight with reinforced eyes, delivered on Friday before noon."),
    _Note(560, _CHIARA, _QUAY, "Ann, we would like to look at the fenders and the bollards before the first frost."),
    _Note(556, _ANN, _QUAY, "Good idea. Quay 4 is empty from the 3rd to the 6th; would that do?"),
    _Note(551, _CHIARA, _QUAY, "Perfetto. Two divers, one day; I will send the form for the insurance.", flagged=True),
    _Note(549, _OFFICE, _QUAY, "The form has arrived, and is signed. Please keep the ladder free."),
    _Note(410, _HANAKO, _KAIUN, "アーチャー様、いつもお世話になっております。来週お支払いいたします。"),
    _Note(402, _ANN, _KAIUN, "山田様、ありがとうございます。 Thank you, that is early enough."),
    _Note(398, _HANAKO, _KAIUN, "本日、送金の手続きを終えました。ご確認をお願いいたします。"),
    _Note(300, _LEILA, _MARINA, "صباح الخير آن، تبدأ صيانة الرصيف الشمالي يوم الأحد وتستمر ثلاثة أيام."),
    _Note(296, _LEILA, _MARINA, "تذكير: الرجاء إبلاغ أصحاب القوارب قبل يوم السبت.", flagged=True),
    _Note(250, _NIKOS, _FERRY, "Καλημέρα Άννα, από Δευτέρα το πρώτο πλοίο φεύγει στις 06:40 αντί για τις 07:10."),
    _Note(247, _ANN, _FERRY, "Ευχαριστώ Νίκο! I will have the board at the gate changed on Sunday."),
    _Note(190, _BJORN, _KEYS, "Has anybody seen them? Red float, three keys, a smell of diesel. / Björn"),
    _Note(189, _NIKOS, _KEYS, "Not on the ferry. I looked twice."),
    _Note(187, _BJORN, _KEYS, "Found: they were in the boat. Tack så mycket, and sorry for the noise."),
    _Note(120, _DMITRI, _BALTIC, "Анна, добрый день! «Балтика» придёт в четверг около 22:00, осадка 9,4 м."),
    _Note(117, _BJORN, _BALTIC, "9.4 m at low water is tight. After 23:30 there is a metre to spare."),
    _Note(115, _DMITRI, _BALTIC, "Хорошо, ждём на рейде до 23:30. Спасибо, лоцман!"),
    _Note(72, _SAMUEL, "Invoice 2207", "Eight lines, 64 mm, reinforced eyes: € 3,480. Thirty days, as always."),
    _Note(50, _WEATHER, _GALE, "South-west 8, gusting 10, from 20:00 on Thursday until 04:00.", flagged=True),
    _Note(48, _BJORN, _GALE, "Pilots stay in after 21:00. «Балтика» waits outside till morning.", unread=True),
    _Note(46, _DMITRI, _GALE, "Понял. Утром так утром ⚓", unread=True),
    _Note(30, _OFFICE, _TABLES, "Attached, for the board at the gate.", attachment=("tides.csv", _TIDES)),
    _Note(22, _CHIARA, _DINNER, "The divers invite everybody who lent them a ladder. Pizza, 19:00?", unread=True),
    _Note(20, _HANAKO, _DINNER, "喜んで！ I am in port that week. 🍕", unread=True),
    _Note(19, _NIKOS, _DINNER, "If the last ferry is on time, so am I.", unread=True),
    _Note(5, _LEILA, "شكراً", "شكراً على المساعدة اليوم. الرصيف الشمالي مفتوح من جديد.", unread=True),
    _Note(2, _OFFICE, "Berths for tonight", "Quay 1 free, quay 2 free, quay 4 taken by the survey boat.", unread=True),
)  # fmt: skip


def letters(now: datetime) -> list[Letter]:
    """The mailbox as it is at this moment, oldest first."""
    threads: dict[str, list[str]] = {}
    return [_letter(number, note, threads.setdefault(note.thread, []), now) for number, note in enumerate(_NOTES)]


def _letter(number: int, note: _Note, thread: list[str], now: datetime) -> Letter:
    """Write one down, as an answer to those of its thread that came before (RFC 5322 §3.6.4)."""
    at = (now - timedelta(hours=note.hours)).replace(microsecond=0)
    message = EmailMessage(policy=SMTP)
    message_id = f"<{number}.{int(at.timestamp())}@{note.sender[1].partition('@')[2]}>"
    message["Date"] = format_datetime(at)
    message["From"] = _address(note.sender)
    message["To"] = _address(_OFFICE if note.sender is _ANN else _ANN)
    message["Subject"] = f"Re: {note.thread}" if thread else note.thread
    message["Message-ID"] = message_id
    if thread:
        message["In-Reply-To"] = thread[-1]
        message["References"] = " ".join(thread)
    message.set_content(f"{note.text}\n")
    if note.attachment is not None:
        name, content = note.attachment
        message.add_attachment(content, subtype="csv", filename=name)
    thread.append(message_id)
    flags = (*(() if note.unread else ("\\Seen",)), *(("\\Flagged",) if note.flagged else ()))
    return Letter(message.as_bytes(), at, flags, sent=note.sender is _ANN)


def _address(who: tuple[str, str]) -> Address:
    name, address = who
    return Address(name, addr_spec=address)
