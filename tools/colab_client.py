"""A client of a kernel that notices when the reply to a cell was lost.

nbclient waits for that reply, and hears on another channel that the kernel is idle again. On a busy
machine the one was seen to come without the other; nbclient then waits until the cell's time is
over.
"""

import asyncio

from nbclient import NotebookClient

SECONDS_FOR_A_REPLY = 60  # after 'idle', before which it is sent


class Client(NotebookClient):
    lost = ""  # what was lost

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["header"]["msg_type"] == "status" and content["execution_state"] == "idle":
            of_cell = f"the reply to cell {cell_index + 1}", self.task_poll_for_reply
            asyncio.get_running_loop().call_later(SECONDS_FOR_A_REPLY, self.give_up, *of_cell)
        return super().process_message(msg, cell, cell_index)

    def give_up(self, name, reply):
        if not reply.done():
            self.lost = name
            reply.cancel()  # nbclient then says that the kernel has died
