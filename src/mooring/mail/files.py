"""Files: attachments, each by itself, as v2 lists them."""

from dataclasses import dataclass

from mooring.mail.types import Attachment


@dataclass(frozen=True, slots=True)
class File:
    """An attachment, and the message that it belongs to."""

    message_id: str
    attachment: Attachment


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files to list; None asks for any."""

    message_id: str | None = None
    filename: str | None = None
    content_type: str | None = None

    def takes(self, file: File) -> bool:
        """Whether this file is one of those asked for."""
        return (
            self.message_id in {None, file.message_id}
            and self.filename in {None, file.attachment.filename}
            and self.content_type in {None, file.attachment.content_type}
        )
