"""Reading by offset, in memory."""

from mooring.errors import NotFound
from mooring.grants import Grant
from mooring.mail import File, FileFilter, Message, MessageFilter, Thread, ThreadFilter
from tests.unit.api.things import FILE, THREAD, Fake, message


class FakeOffsets(Fake):
    """By offset, over the same messages as the mailbox that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = [message(n) for n in range(5)]

    async def messages(self, grant: Grant, wanted: MessageFilter, /, *, limit: int, offset: int) -> list[Message]:
        self.called("messages", grant.id, wanted, limit, offset)
        return self.stored[offset : offset + limit]

    async def count_messages(self, grant: Grant, wanted: MessageFilter, /) -> int:
        self.called("count_messages", grant.id, wanted)
        return len(self.stored)

    async def threads(self, grant: Grant, wanted: ThreadFilter, /, *, limit: int, offset: int) -> list[Thread]:
        self.called("threads", grant.id, wanted, limit, offset)
        return [THREAD][offset : offset + limit]

    async def thread(self, grant: Grant, thread_id: str, /) -> Thread:
        self.called("thread", grant.id, thread_id)
        if thread_id != THREAD.id:
            raise NotFound("There is no such thread.")
        return THREAD

    async def count_threads(self, grant: Grant, wanted: ThreadFilter, /) -> int:
        self.called("count_threads", grant.id, wanted)
        return 1

    async def files(self, grant: Grant, wanted: FileFilter, /, *, limit: int, offset: int) -> list[File]:
        self.called("files", grant.id, wanted, limit, offset)
        return [FILE][offset : offset + limit]

    async def count_files(self, grant: Grant, wanted: FileFilter, /) -> int:
        self.called("count_files", grant.id, wanted)
        return 1
