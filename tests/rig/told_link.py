"""The link's side of the two things by which it meets the deciding process: `link.json`, and the socket that takes questions."""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from daemon.control import LINK as SOCKET
from sync.asking import AskingServer
from sync.link_report import NAME

Answer = Callable[[Mapping[str, Any]], Mapping[str, object]]


def tell(state_dir: Path, **report: object) -> None:
    """Replace the report, as the link does."""
    aside = state_dir / f"{NAME}.new"
    aside.write_text(json.dumps(report))
    aside.replace(state_dir / NAME)


class ToldLink:
    """Listens where the link does, and answers as it is told; `asked` are the questions that came."""

    def __init__(self, state_dir: Path, **answers: Answer) -> None:
        """Listen; `answers` by the word that is asked."""
        self.asked: list[Mapping[str, Any]] = []
        self._path = state_dir / SOCKET
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self._path))
        listening.listen(16)
        self._server = AskingServer(listening, {word: self._noting(answer) for word, answer in answers.items()})

    def _noting(self, answer: Answer) -> Answer:
        def noted(question: Mapping[str, Any]) -> Mapping[str, object]:
            self.asked.append(question)
            return answer(question)

        return noted

    def __enter__(self) -> Self:
        """Return the link itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.close()
        self._path.unlink()
