"""What the pages are made of: their parts as Protocols, so that a page knows neither the people store nor the daemon (DESIGN.md §1).

How to add a page `NAME`:

1. `outputs/screen/NAME.py` with `def NAME_routes(parts: Parts) -> list[BaseRoute]`, named in `app.py`. A page is
   `Route("/NAME", web.page(parts, "NAME"))`; a deed that its script asks for is
   `Route("/api/NAME/deed", web.answered(parts, deed), methods=["POST"])` with `def deed(asked: Asked) -> Mapping[str, object]`: it runs
   on a thread, may ask `parts.daemon`, and refuses by `raise web.Refused("word.of.the.reason", status=409)`.
2. `pages/NAME.html` holds the inside of `<body>`: `{{word.key}}` is a word in the visitor's language, `{{value}}` one of the page's own
   values; both are escaped. `static/NAME.css` and `static/NAME.js` (an ES module) are linked by themselves. There is no inline script
   or style: the content security policy refuses both.
3. `words/et/NAME.json`, `words/en/NAME.json`, `words/ru/NAME.json`: flat, the same keys in each; the word `title` of NAME.json is
   `NAME.title`, here and in `common.js` (`word("NAME.title", {count: 3})` puts values in for `{count}`). `common.*` are words of all.
4. In the script: `import { word, post, follow } from "/static/common.js"`. `post(path, body)` returns the answer or throws `Refused`
   with its `word`; `follow("/api/stream?reader=…", {answer, state, lost, …})` hears the answers, and says when it hears nothing.

The guard (`guard.py`) has looked at every request before a route does: Host, Origin, Sec-Fetch-Site, pairing. `asked.session` is the
visitor's: `session.kept` holds what a page keeps between its requests (a shift's worker), in memory alone.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from config.host import HostConfig
from outputs.screen.sessions import Sessions

Event = Mapping[str, object]
"""One line of the feed: an event as `viipe events --json` shows it, or `{"state": …}`, or `{"lost": why}` while no daemon is heard."""


class NoDaemon(Exception):
    """The daemon does not answer."""


class Person(Protocol):
    """Somebody of the school, as a page may show them."""

    @property
    def id(self) -> str:
        """The registry's number of the person, as an event's `person` has it."""

    @property
    def first_name(self) -> str:
        """The first name."""

    @property
    def name(self) -> str:
        """The whole name."""

    @property
    def class_name(self) -> str:
        """The class of today, "" for whoever has none."""

    @property
    def has_photo(self) -> bool:
        """Whether the school gave a photo."""

    @property
    def identifiers(self) -> Mapping[str, str]:
        """What else the person is known by: {"card": "THG-0001", "library": "123"}."""


class Worker(Protocol):
    """Whoever may open a shift."""

    @property
    def id(self) -> str:
        """The registry's word for the worker."""

    @property
    def name(self) -> str:
        """The worker's name."""


class People(Protocol):
    """The names that this host holds. Each call is cheap, from any thread, and never raises for absence."""

    @property
    def version(self) -> int:
        """The version of what is held; 0: no names at all, and the pages show words and colours without them."""

    @property
    def hands_over(self) -> str | None:
        """Which of a person's identifiers a library's program takes, as the school says; None where it says nothing."""

    def person(self, id: str) -> Person | None:  # noqa: A002  the registry's word for it
        """Return somebody, None who is not known."""

    def photo(self, id: str) -> bytes | None:  # noqa: A002  as above
        """Return somebody's photo (JPEG), None where the school gave none."""

    def classes(self) -> Mapping[str, int]:
        """Return how many pupils are enrolled today, by class."""

    def of_class(self, class_name: str) -> Sequence[Person]:
        """Return the pupils of a class."""

    def find(self, text: str, limit: int = 20) -> Sequence[Person]:
        """Return whom a typed text may mean."""

    def worker(self, id: str) -> Worker | None:  # noqa: A002  as above
        """Return a worker who may open a shift now; None for one who was removed."""

    def check_pin(self, pin: str) -> Worker | None:
        """Return whose PIN it is, None for nobody's. Slow on purpose: whoever calls bounds the attempts."""


class Daemon(Protocol):
    """The deciding process, by its control socket."""

    def ask(self, question: Mapping[str, object], within_s: float = 2.0) -> Mapping[str, object]:
        """Return its answer; it blocks, so ask from a thread (`web.answered` does). Raises NoDaemon."""


class Answers(Protocol):
    """What happens at the readers, as it happens."""

    def follow(self) -> AbstractContextManager[AsyncIterator[Event]]:
        """Hear every line from now on, in the server's loop; never an earlier answer. A follower too slow for its queue is ended."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a page may use. `config` is the host's file; `now` gives the wall clock (aware)."""

    config: HostConfig
    people: People
    daemon: Daemon
    answers: Answers
    sessions: Sessions
    now: Callable[[], datetime]
