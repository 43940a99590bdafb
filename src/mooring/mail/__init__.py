"""The stored copy of mailboxes: folders, messages and threads, sealed with a key of their grant.

It writes what the synchronisation brings and reads what the API asks for; it knows no server and
dials nobody. Start at ``types.py``; what is written is in ``writer.py``, what is read in ``reader.py``.
"""

from mooring.mail.cursors import after_cursor, room_in, with_seen, write_cursor
from mooring.mail.errors import Unstorable
from mooring.mail.files import File, FileFilter
from mooring.mail.folders import find_special, folders_of
from mooring.mail.identity import assign_threads, folder_id, message_id
from mooring.mail.reader import MailReader
from mooring.mail.records import Arrival, attachment_list, message_date, part_id, party_list, thread_headers
from mooring.mail.repository.writing import join_thread
from mooring.mail.threads import Special, Thread, ThreadFilter, by_thread, fits, summary_of, thread_of
from mooring.mail.types import Attachment, Folder, JsonText, Message, MessageFilter, Obstacle, Page, Party, SpecialUse
from mooring.mail.views import FolderView, folder_view, folder_views, parent_of
from mooring.mail.writer import MailWriter

__all__ = [
    "Arrival",
    "Attachment",
    "File",
    "FileFilter",
    "Folder",
    "FolderView",
    "JsonText",
    "MailReader",
    "MailWriter",
    "Message",
    "MessageFilter",
    "Obstacle",
    "Page",
    "Party",
    "Special",
    "SpecialUse",
    "Thread",
    "ThreadFilter",
    "Unstorable",
    "after_cursor",
    "assign_threads",
    "attachment_list",
    "by_thread",
    "find_special",
    "fits",
    "folder_id",
    "folder_view",
    "folder_views",
    "folders_of",
    "join_thread",
    "message_date",
    "message_id",
    "parent_of",
    "part_id",
    "party_list",
    "room_in",
    "summary_of",
    "thread_headers",
    "thread_of",
    "with_seen",
    "write_cursor",
]
