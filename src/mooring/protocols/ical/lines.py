"""Content lines: text to components, without understanding them."""

import re
from dataclasses import dataclass, field

MAX_TEXT = 10_485_760  # characters of one object that are looked at; CalDAV servers refuse objects over 10 MB
MAX_COMPONENTS = 5_000  # events of one object; the rest is left out
_MAX_ZONES = 50  # time zones of one object
_MAX_CHILDREN = 100  # alarms of one event, or observances of one time zone
_MAX_LINES = 20_000  # properties of one component

_FOLD = re.compile(r"\n[ \t]")
_LINE = re.compile(r'([A-Za-z0-9_-]+)((?:;[^":;]*+(?:"[^"]*+"[^":;]*+)*+)*+):(.*)', re.DOTALL)
_PARAM = re.compile(r';([^=":;]+)=((?:"[^"]*+"|[^";])*+)')
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KEPT = frozenset({"VEVENT", "VTIMEZONE", "VALARM", "STANDARD", "DAYLIGHT"})
_TOP = frozenset({"VEVENT", "VTIMEZONE"})


@dataclass(frozen=True, slots=True)
class Line:
    """One property; parameter names are upper case, values without their quotes."""

    name: str
    params: dict[str, str]
    value: str

    @property
    def text(self) -> str:
        """The value as text.

        Source: RFC 5545 section 3.3.11.
        """
        return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], self.value)


@dataclass(slots=True)
class Component:
    """A VEVENT, a VTIMEZONE, or what is within them."""

    name: str
    lines: list[Line] = field(default_factory=list[Line])
    children: "list[Component]" = field(default_factory=list["Component"])

    def first(self, name: str) -> Line | None:
        """The first property with this name."""
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> list[Line]:
        """Every property with this name, in order."""
        return [line for line in self.lines if line.name == name]

    def text(self, name: str) -> str:
        """The first such property as text, or ""."""
        line = self.first(name)
        return line.text if line else ""


@dataclass(slots=True)
class Calendar:
    """One calendar object: its events, its time zones, and properties of the object itself."""

    events: list[Component] = field(default_factory=list[Component])
    zones: list[Component] = field(default_factory=list[Component])
    properties: Component = field(default_factory=lambda: Component("VCALENDAR"))


def read(ics: bytes | str) -> Calendar:
    """The events and time zones of an object; what is no line is passed over, a missing END supplied."""
    calendar = Calendar()
    stack: list[Component] = []
    skipping = 0
    for text in _unfolded(ics):
        match = _LINE.fullmatch(text)
        if not match:
            continue
        name, value = match[1].upper(), match[3]
        kind = value.strip().upper()
        if name == "BEGIN":
            if kind == "VCALENDAR":
                continue
            if skipping or kind not in _KEPT or (not stack and kind not in _TOP):
                skipping += 1
                continue
            if kind in _TOP:
                stack.clear()
            stack.append(_begin(Component(kind), stack, calendar))
        elif name == "END":
            if skipping and not (stack and kind == stack[-1].name):
                skipping -= 1
            elif stack:
                skipping = 0
                stack.pop()
        elif not skipping:
            _property(stack[-1] if stack else calendar.properties, name, match[2], value)
    return calendar


def _begin(component: Component, stack: list[Component], calendar: Calendar) -> Component:
    if stack:
        siblings, limit = stack[-1].children, _MAX_CHILDREN
    else:
        is_event = component.name == "VEVENT"
        siblings, limit = (calendar.events, MAX_COMPONENTS) if is_event else (calendar.zones, _MAX_ZONES)
    if len(siblings) < limit:
        siblings.append(component)
    return component


def _property(owner: Component, name: str, params: str, value: str) -> None:
    if len(owner.lines) < _MAX_LINES:
        found = {key.strip().upper(): text.replace('"', "").strip() for key, text in _PARAM.findall(params)}
        owner.lines.append(Line(name, found, value))


def _unfolded(ics: bytes | str) -> list[str]:
    """Logical lines, without what UTF-8 text in a database cannot hold.

    Source: RFC 5545 section 3.1.
    """
    if isinstance(ics, bytes):
        ics = ics[:MAX_TEXT]
        try:
            ics = ics.decode("utf-8-sig")
        except UnicodeDecodeError:
            ics = ics.decode("cp1252", "replace")
    text = ics[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").removeprefix("\ufeff")
    return _FOLD.sub("", _SURROGATES.sub("\ufffd", text)).split("\n")
