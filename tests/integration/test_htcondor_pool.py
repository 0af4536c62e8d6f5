"""A head of HTCondor, set up by its role in a container, and what its users and VOCs may try to get around it.

The machines are daemons of HTCondor's beside those of the head, with the configurations of batch_worker: one of a
VOC's, one of a VOC whose root lies to the pool, and the head's own, which is in no VOC.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant

from .fitting import read, write_play
from .head_node import NAME, Head, play, started
from .playbooks import ROOT
from .test_batch_worker import GUEST

pytestmark = pytest.mark.root

DOMAIN = "example.org"
SECONDS = 120
USERS = ("star", "evil", "both", "other")
VOCS = [{"name": "STAR", "users": ["star", "both"]}, {"name": "EVIL", "users": ["evil", "both"]}]
# Decisions in seconds rather than minutes, and a machine that is in no VOC: the head itself.
HURRY = {
    "DAEMON_LIST": "$(DAEMON_LIST) STARTD",
    "NEGOTIATOR_INTERVAL": 5,
    "NEGOTIATOR_CYCLE_DELAY": 2,
    "NEGOTIATOR_MIN_INTERVAL": 2,
    "NEGOTIATOR_UPDATE_AFTER_CYCLE": True,
    "SCHEDD_MIN_INTERVAL": 1,
    "RunBenchmarks": False,
}
WORKER = {"UPDATE_INTERVAL": 5, "RunBenchmarks": False}
# To the collector, which has no job at hand, it is of its own VOC; to a job it is of the job's.
LIAR = {"VOCName": 'ifThenElse(TARGET.Owner =?= undefined, "EVIL", TARGET.VOCName)', "START": "True", **WORKER}

# Places of its own for daemons that share a machine with the head's, and no session that they would share with them.
BESIDE = """
LOCAL_DIR = /w/{name}
LOG = /w/{name}/log
SPOOL = /w/{name}/spool
EXECUTE = /w/{name}/execute
RUN = /w/{name}/run
LOCK = /w/{name}/run
DAEMON_SOCKET_DIR = /w/{name}/run
LIB = /usr/lib/condor
LIBEXEC = /usr/libexec/condor
BIN = /usr/bin
SBIN = /usr/sbin
SEC_TOKEN_SYSTEM_DIRECTORY = /w/{name}/tokens
SEC_PASSWORD_DIRECTORY = /w/{name}/none
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_USE_FAMILY_SESSION = False
USE_SHARED_PORT = False
STARTD_NAME = {name}
"""
START = """
mkdir -p /w/{name}
cd /w/{name}
install -d -o condor log spool execute run
install -d -m 700 tokens
install -m 600 /etc/condor/voc-cluster-tokens/voc-{name}-* tokens
cat >config <<'END'
{config}
END
CONDOR_CONFIG=/w/{name}/config setsid condor_master
"""
SUBMIT = """
folder=$(mktemp -d /home/{user}/run.XXXXXX)
cat >$folder/run.sub <<'END'
executable = /bin/hostname
transfer_executable = false
should_transfer_files = YES
request_memory = 1M
request_disk = 1M
{lines}
END
chown -R {user} $folder
cd $folder
setpriv --reuid={user} --clear-groups condor_submit run.sub
"""

# Names of slots, on the machine of each VOC and on that of none.
STAR = "^slot[0-9_]+@star@"
EVIL = "^slot[0-9_]+@evil@"
NONE = "^slot[0-9_]+@head1"
ON_STAR, ON_EVIL, ON_NONE = (f'requirements = regexp("{slot}", TARGET.Name)' for slot in (STAR, EVIL, NONE))
HONEST = {
    "star": ("star", ON_STAR, STAR),
    "star of two": ("both", ON_STAR, STAR),
    "evil": ("evil", ON_EVIL, EVIL),
    "evil of two": ("both", f'{ON_EVIL}\n+VOCName = "EVIL"', EVIL),
    "none": ("other", ON_NONE, NONE),
    "other's as text": ("other", f"{ON_NONE}\n+VOCName = TARGET.VOCName", NONE),
}
# Each wants a machine that is not its own.
ATTACKS = {
    "what the machine is": ("other", f"{ON_STAR}\n+VOCName = TARGET.VOCName"),
    "an error before": (
        "other",
        f"{ON_STAR}\n+VOCName = ifThenElse(TARGET.VOCName =?= undefined, error, TARGET.VOCName)",
    ),
    "a list": ("other", f'{ON_STAR}\n+VOCName = {{"STAR"}}'),
    "the place told by itself": ("other", f"{ON_STAR}\n+VOCPlace = true\n+VOCRequirements = true"),
    "already transformed": ("star", "requirements = MY.VOCPlace && MY.VOCRequirements\n+VOCRequirements = false"),
    "away by a macro": (
        "star",
        f'+Text = "x\\"))) || regexp(\\"{NONE}\\", TARGET.Name) || (((Foo == \\"x"\n'
        'requirements = (Foo == "$(DOLLAR)(MY.Text)")',
    ),
    "away": ("star", ON_NONE),
    "to none": ("star", f"{ON_NONE}\n+VOCName = undefined"),
    "lured": ("star", ON_EVIL),
    "lured from two": ("both", ON_EVIL),
    "lured from none": ("other", ON_EVIL),
}


@dataclass(frozen=True)
class Pool:
    """The pool, reached as root on its head."""

    head: Head

    def ads(self, command: str) -> list[dict]:
        return json.loads(self.head.run(f"{command} -json") or "[]")

    def submit(self, user: str, lines: str) -> int:
        """Submit a job and return its number."""
        said = self.try_submit(user, lines)
        assert "submitted to cluster" in said, said
        return int(said.rpartition("cluster ")[2].split(".")[0])

    def try_submit(self, user: str, lines: str) -> str:
        queue = "" if "queue" in lines else "\nqueue"
        return self.head.run(SUBMIT.format(user=user, lines=lines + queue))

    def status(self, number: int) -> int:
        """Return a job's JobStatus: 1 is idle, 4 ended."""
        return self.job(number)["JobStatus"]

    def job(self, number: int) -> dict:
        """Return the ad of a job that is in the queue, or was: for a moment it is in neither list."""
        found: list[dict] = []

        def is_there() -> bool:
            found[:] = self.ads(f"condor_q -allusers {number}") or self.ads(f"condor_history {number}")
            return bool(found)

        wait_for(is_there, f"finding job {number}")
        return found[0]

    def wait(self, number: int) -> dict:
        wait_for(lambda: self.status(number) == 4, f"the end of job {number}")
        return self.job(number)

    def negotiate(self) -> None:
        """Wait until two negotiations have begun and ended, so that each job was considered."""

        def times() -> tuple[int, int]:
            (ad,) = self.ads("condor_status -negotiator")
            return ad.get("LastNegotiationCycleTime0", 0), ad.get("LastNegotiationCycleTime1", 0)

        start = times()[0]
        wait_for(lambda: min(times()) > start, "the second negotiation")

    def edit(self, user: str, number: int, name: str, value: str) -> str:
        """Change an attribute as somebody would whose own program does not look at what must not be changed."""
        return self.head.run(
            f"setpriv --reuid={user} --clear-groups env _condor_IMMUTABLE_JOB_ATTRS= "
            f"condor_qedit {number} {name} '{value}'"
        )


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {SECONDS} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("pool")
    with started(folder) as head:
        head.run(f"hostname {NAME}; for user in {' '.join(USERS)}; do useradd -m $user; done")
        site = {
            "site_batch": {
                "scheduler": "htcondor",
                "head": NAME,
                "domain": DOMAIN,
                "secrets": str(folder / "secrets"),
                "vocs": VOCS,
            },
            "batch_head_settings": HURRY,
        }
        guest = make_ext(folder / "guest", plant(folder / "tree", GUEST), options=("-E", "root_owner=0:0"))
        settings = {"star": WORKER, "evil": LIAR}
        images = {name: folder / f"{name}.img" for name in settings}
        hosts: dict[str, dict[str, object]] = {}
        for name, image in images.items():
            image.write_bytes(guest.read_bytes())
            hosts[name] = {"image_source": str(image), "image_work": str(image), "voc_name": name.upper()}
            hosts[name]["batch_worker_settings"] = settings[name]
        inventory = head.write_inventory(site, hosts)
        play(inventory, ROOT / "playbooks/head.yml", "--check")
        play(inventory, ROOT / "playbooks/head.yml")
        play(inventory, write_play(folder, ["batch_worker"]))
        pool = Pool(head)
        for name, image in images.items():
            start_worker(head, name, image)
        wait_for(lambda: len({slot["Name"].partition("@")[2] for slot in pool.ads("condor_status")}) == 3, "joining")
        yield pool


def start_worker(head: Head, name: str, image: Path) -> None:
    config = read(image, "/etc/condor/config.d/50-voc-cluster.config") + BESIDE.format(name=name)
    head.run(START.format(name=name, config=config))


@pytest.fixture(scope="module")
def jobs(pool: Pool) -> dict[str, int]:
    """All jobs, once the honest ones have ended and each of the others has been considered since."""
    bad = {name: pool.submit(user, lines) for name, (user, lines) in ATTACKS.items()}
    good = {name: pool.submit(user, lines) for name, (user, lines, _where) in HONEST.items()}
    for number in good.values():
        pool.wait(number)
    pool.negotiate()
    return {**bad, **good}


@pytest.mark.parametrize("name", HONEST)
def test_a_job_runs_on_the_machines_of_its_voc(pool: Pool, jobs: dict[str, int], name: str) -> None:
    assert re.match(HONEST[name][2], pool.job(jobs[name])["LastRemoteHost"])


@pytest.mark.parametrize("name", ATTACKS)
def test_no_job_runs_on_the_machines_of_others(pool: Pool, jobs: dict[str, int], name: str) -> None:
    job = pool.job(jobs[name])
    assert (job["JobStatus"], job["NumJobStarts"]) == (1, 0), job.get("LastRemoteHost")


def test_a_voc_is_not_for_everybody_who_names_it(pool: Pool) -> None:
    assert "other does not belong to the VOC STAR" in pool.try_submit("other", '+VOCName = "STAR"')


@pytest.mark.parametrize(
    ("user", "lines", "name", "value"),
    [
        ("star", ON_NONE, "Requirements", "true"),
        ("star", ON_NONE, "VOCPlace", "true"),
        ("star", ON_NONE, "VOCName", "undefined"),
        ("other", ON_STAR, "VOCName", '"STAR"'),
        ("other", ON_STAR, "VOCName", "TARGET.VOCName"),
    ],
)
def test_a_job_cannot_be_moved_later(pool: Pool, user: str, lines: str, name: str, value: str) -> None:
    number = pool.submit(user, lines)
    before = pool.job(number).get(name)
    assert "Failed to set attribute" in pool.edit(user, number, name, value)
    assert pool.job(number).get(name) == before
    pool.head.run(f"condor_rm {number}")


def test_what_a_user_asks_for_can_be_changed_later(pool: Pool) -> None:
    number = pool.submit("star", "requirements = false")
    assert "Set attribute" in pool.edit("star", number, "VOCRequirements", "true")
    assert re.match(STAR, pool.wait(number)["LastRemoteHost"])


def test_jobs_that_are_made_later_are_looked_at_then(pool: Pool) -> None:
    lines = f'{ON_STAR}\n+VOCName = $(V)\nmax_materialize = 1\nqueue V in (undefined, "STAR")'
    number = pool.submit("other", lines)
    wait_for(lambda: pool.ads(f"condor_q -allusers {number}.0"), "the first job")
    pool.head.run(f"condor_rm {number}.0")
    wait_for(lambda: f"new job {number}.1" in pool.head.run("cat /var/log/condor/SchedLog"), "the second job's try")
    pool.negotiate()
    assert not pool.ads(f"condor_q -allusers {number}.1")
    pool.head.run(f"condor_rm {number}")


@pytest.mark.parametrize("user", ["star", "other"])
def test_jobs_of_a_factory_run(pool: Pool, user: str) -> None:
    """They are transformed twice: as the factory's and as their own."""
    number = pool.submit(user, "max_materialize = 1\nqueue 2")
    wait_for(lambda: len(pool.ads(f"condor_history {number}")) == 2, "the end of both jobs")


def test_jobs_of_the_queue_itself_run(pool: Pool) -> None:
    number = pool.submit("star", "universe = local")
    assert pool.wait(number)["VOCName"] == "STAR"


@pytest.mark.parametrize("command", ["UPDATE_STARTD_AD", "UPDATE_MASTER_AD"])
@pytest.mark.parametrize(
    ("kind", "voc", "is_taken"),
    [
        ("Machine", '"EVIL"', True),
        ("Machine", '"STAR"', False),
        ("Machine", "undefined", False),
        ("Foo", '"STAR"', False),
        ("Foo", "undefined", False),
        ("Scheduler", '"STAR"', False),
        ("Collector", '"STAR"', False),
    ],
)
def test_a_token_is_good_for_its_own_voc(pool: Pool, command: str, kind: str, voc: str, is_taken: bool) -> None:
    name = f"slot1@{kind}{voc.strip(chr(34))}{command}".lower()
    ad = f'MyType = "{kind}"\nName = "{name}"\nMachine = "impostor"\nVOCName = {voc}\nState = "Owner"\n'
    ad += 'MyAddress = "<10.16.0.99:9618>"\nAuthenticatedIdentity = undefined\n'
    pool.head.run(
        f"cat >/root/ad <<'END'\n{ad}END\n"
        "env _condor_SEC_TOKEN_SYSTEM_DIRECTORY=/w/evil/tokens _condor_SEC_CLIENT_AUTHENTICATION_METHODS=IDTOKENS "
        f"condor_advertise -tcp {command} /root/ad"
    )
    kinds = "" if command == "UPDATE_STARTD_AD" else "-master"
    assert bool(pool.ads(f"condor_status {kinds} -constraint 'Name == \"{name}\"'")) == is_taken


def test_the_daemons_of_the_head_are_known(pool: Pool) -> None:
    for kind in ("collector", "schedd", "negotiator", "master"):
        assert pool.ads(f"condor_status -{kind}"), kind
