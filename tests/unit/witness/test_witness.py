"""A witness signs what continues what it has seen, and nothing else, whatever it is handed."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chenu_witness import state as kept_state
from chenu_witness.server import open_cosigner
from chenu_witness.state import State
from chenu_witness.witness import Answer, Witness
from kernel.receipts import ReceiptInvalid, TreeHead, VerifierKey, cosigners, leaf_hash, root_of
from services.audit.note import NoteSigner, sign_tree_head
from services.audit.tree import append, consistency_proof
from tests.unit.witness.specification import cosigned_by

ORIGIN = "log.example/chenu"


class PlayedLog:
    """A log in memory that can be told to forget, and to tell another history."""

    def __init__(self, private: Ed25519PrivateKey | None = None) -> None:
        self.signer = NoteSigner(ORIGIN, private or Ed25519PrivateKey.generate())
        self.hashes: list[bytes] = []

    def add(self, *leaves: bytes) -> None:
        self.hashes += [leaf_hash(leaf) for leaf in leaves]

    def fork(self, at: int) -> "PlayedLog":
        other = PlayedLog(self.signer.private_key)
        other.hashes = [*self.hashes[:at], leaf_hash(b"another"), *self.hashes[at + 1 :]]
        return other

    def head(self, size: int | None = None) -> str:
        size = len(self.hashes) if size is None else size
        return sign_tree_head(TreeHead(ORIGIN, size, root_of(self.hashes[:size])), [self.signer])

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        size = len(self.hashes) if size is None else size
        tiles = append(lambda *_: b"", 0, self.hashes[:size]).tiles
        return consistency_proof(lambda level, index, _: tiles[level, index], old, size)

    def request(self, old: int, size: int | None = None) -> str:
        return request(old, self.proof(old, size), self.head(size))


def request(old: int, proof: Sequence[bytes], note: str) -> str:
    return f"old {old}\n" + "".join(f"{b64encode(one).decode()}\n" for one in proof) + f"\n{note}"


class Stand:
    """A witness over a file, that can crash."""

    def __init__(self, folder: Path, *logs: PlayedLog) -> None:
        self.folder, self.keys = folder, [log.signer.verifier_key for log in logs]
        self.cosigner = open_cosigner(folder, "witness.example/w1")
        self._opened: list[State] = []
        self.restart()

    def restart(self) -> None:
        """The old connection is simply left, as by kill -9."""
        self.state = State(self.folder / "witness.sqlite3")
        self._opened.append(self.state)
        self.witness = Witness(self.cosigner, self.state, lambda: self.keys)

    def ask(self, text: str) -> Answer:
        return self.witness.add_checkpoint(text)

    def close(self) -> None:
        for state in self._opened:
            state.close()


@pytest.fixture
def log() -> PlayedLog:
    played = PlayedLog()
    played.add(*(b"%d" % n for n in range(7)))
    return played


@pytest.fixture
def stand(tmp_path: Path, log: PlayedLog) -> Iterator[Stand]:
    made = Stand(tmp_path, log)
    yield made
    made.close()


def test_a_head_that_continues_is_cosigned_as_the_specification_says(
    stand: Stand, log: PlayedLog
) -> None:
    first = stand.ask(log.request(0))
    assert first.status == 200
    log.add(b"more", b"and more")
    answer = stand.ask(log.request(7))
    assert answer.status == 200
    key = stand.cosigner.verifier_key
    assert key in cosigners(log.head() + answer.body, [key])
    public = stand.cosigner.private_key.public_key().public_bytes_raw()
    assert cosigned_by(log.head() + answer.body, "witness.example/w1", public) > 1_700_000_000
    # A log's key and a witness's are never taken for each other, whatever their names.
    with pytest.raises(ReceiptInvalid):
        VerifierKey(key.name, key.public_key).verify(
            b64decode(answer.body.split(" ")[2])[4:], log.head().partition("\n\n")[0] + "\n"
        )


def test_the_same_head_again_is_signed_again(stand: Stand, log: PlayedLog) -> None:
    assert stand.ask(log.request(0)).status == 200
    assert stand.ask(log.request(7)).status == 200


def test_a_log_that_was_put_back_is_cosigned_again_once_its_witness_has_agreed_for_good_to_see(
    stand: Stand, log: PlayedLog
) -> None:
    stand.ask(log.request(0))
    back = log.fork(3)
    back.hashes = back.hashes[:5]
    assert stand.ask(back.request(0)).status == 409
    other = State(stand.folder / "witness.sqlite3")  # while the witness itself is running
    assert other.begin_anew(ORIGIN, 1) == 7
    assert other.begin_anew(ORIGIN, 2) == 0
    other.close()
    assert stand.ask(back.request(0)).status == 200
    assert stand.ask(log.request(5)).status == 422
    kinds = [one["kind"] for one in stand.state.evidence()]
    assert kinds == ["begun anew", "no continuation"]
    assert stand.state.evidence()[0]["held"] == log.head()


def test_another_size_than_was_seen_is_answered_with_the_one_that_was(
    stand: Stand, log: PlayedLog
) -> None:
    stand.ask(log.request(0))
    log.add(b"more")
    for old in (0, 3):
        answer = stand.ask(log.request(old))
        assert (answer.status, answer.body, answer.media_type) == (409, "7\n", "text/x.tlog.size")


def test_a_fork_of_the_same_size_is_refused_and_kept_as_evidence(
    stand: Stand, log: PlayedLog
) -> None:
    stand.ask(log.request(0))
    fork = log.fork(3)
    for old in (0, 7):
        assert stand.ask(fork.request(old)).status == 409
    (kept,) = stand.state.evidence()
    assert (kept["kind"], kept["held"], kept["submitted"]) == ("fork", log.head(), fork.head())


@pytest.mark.parametrize("spoilt", ["fork", "shorter", "longer", "none", "first"])
def test_a_proof_that_does_not_lead_there_is_refused_and_kept(
    stand: Stand, log: PlayedLog, spoilt: str
) -> None:
    if spoilt != "first":
        stand.ask(log.request(0))
    grown = log.fork(3) if spoilt == "fork" else log
    grown.add(b"more")
    proof = grown.proof(7)
    match spoilt:
        case "shorter":
            proof = proof[:-1]
        case "longer":
            proof = [*proof, bytes(32)]
        case "none":
            proof = []
    old = 0 if spoilt == "first" else 7
    assert stand.ask(request(old, proof, grown.head())).status == 422
    assert [one["kind"] for one in stand.state.evidence()] == (
        [] if spoilt == "first" else ["no continuation"]
    )


def test_what_strangers_add_to_a_head_is_not_kept(stand: Stand, log: PlayedLog) -> None:
    stand.ask(log.request(0))
    fork = log.fork(3)
    fork.add(b"more")
    for _ in range(3):
        added = PlayedLog().signer.signature_line("whatever")
        assert stand.ask(request(7, [], fork.head() + added)).status == 422
    (kept,) = stand.state.evidence()
    assert kept["submitted"] == fork.head()
    log.add(b"more")
    assert stand.ask(log.request(7) + added).status == 200
    assert stand.state.head(ORIGIN) == (8, log.head())


def test_of_spoilt_proofs_so_many_are_kept_and_of_forks_all(
    stand: Stand, log: PlayedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_state, "MOST", 2)
    stand.ask(log.request(0))
    for _ in range(3):
        log.add(b"more")
        assert stand.ask(request(7, [], log.head())).status == 422
    for at in range(3):
        assert stand.ask(log.fork(at).request(7, 7)).status == 409
    kept = [one["kind"] for one in stand.state.evidence()]
    assert kept == ["no continuation"] * 2 + ["fork"] * 3


def test_strangers_and_nonsense_are_refused(stand: Stand, log: PlayedLog) -> None:
    stranger, other = PlayedLog(), PlayedLog()
    other.signer = NoteSigner("log.example/other", other.signer.private_key)
    for played in (stranger, other):
        played.add(b"leaf")
    assert stand.ask(stranger.request(0)).status == 403
    text = str(TreeHead("log.example/other", 1, other.hashes[0]))
    foreign = f"{text}\n{other.signer.signature_line(text)}"
    assert stand.ask(request(0, [], foreign)).status == 404
    good = log.request(0)
    for bad in (
        "", "old 0\n", "old 00\n\n" + log.head(), "old -1\n\n" + log.head(), good[:-1],
        good.replace("old 0", "old 0 "), "old 0\n" + "A" * 44 + "\n\n" + log.head(),
        "old 9\n\n" + log.head(),
        "old 0\n" + f"{b64encode(bytes(32)).decode()}\n" * 64 + "\n" + log.head(),
    ):  # fmt: skip
        assert stand.ask(bad).status == 400, bad
    assert stand.state.head(ORIGIN) == (0, "")


def test_what_was_seen_outlives_the_process(stand: Stand, log: PlayedLog) -> None:
    stand.ask(log.request(0))
    stand.state.close()
    stand.restart()
    assert stand.ask(log.fork(2).request(0)).status == 409
    assert stand.state.head(ORIGIN)[0] == 7


class WitnessMachine(RuleBasedStateMachine):
    """One log that grows, forks, forgets and repeats itself before one witness that crashes."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.logs = [PlayedLog()]
        self.logs[0].add(b"first")
        self.stand = Stand(Path(self.folder.name), self.logs[0])
        self.signed: list[TreeHead] = []
        self.views: list[list[bytes]] = []

    @rule(which=st.integers(0, 5), count=st.integers(1, 5), mark=st.binary(max_size=2))
    def grow(self, which: int, count: int, mark: bytes) -> None:
        self.logs[which % len(self.logs)].add(*(mark + b"%d" % n for n in range(count)))

    @rule(which=st.integers(0, 5), at=st.integers(0, 40))
    def fork(self, which: int, at: int) -> None:
        log = self.logs[which % len(self.logs)]
        self.logs.append(log.fork(at % len(log.hashes)))

    @rule(which=st.integers(0, 5), old=st.integers(-1, 40), size=st.integers(0, 40))
    def submit(self, which: int, old: int, size: int) -> None:
        log = self.logs[which % len(self.logs)]
        size = min(size, len(log.hashes))
        known = self.stand.state.head(ORIGIN)[0]
        old = min(known if old < 0 or old % 3 else old, size)
        answer = self.stand.ask(log.request(old, size))
        if answer.status == 200:
            self.signed.append(TreeHead(ORIGIN, size, root_of(log.hashes[:size])))
            self.views.append(log.hashes[:size])

    @rule()
    def crash(self) -> None:
        self.stand.restart()

    @invariant()
    def what_was_signed_is_one_history(self) -> None:
        for earlier, later in zip(self.views, self.views[1:], strict=False):
            assert later[: len(earlier)] == earlier

    def teardown(self) -> None:
        if hasattr(self, "stand"):
            self.stand.close()
            self.folder.cleanup()


TestNeverAFork = WitnessMachine.TestCase
TestNeverAFork.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
