"""Makes the files of the bench `bags`, from fixed seeds: words in Zipf's proportions with some capitals and marks, log lines in the layout
of the 1996 UC Berkeley home-IP traces, and JSON lines shaped like the events of a host of code. Ten files of each, `MEGABYTES` in all."""

import json
import os

import numpy as np

FILES = 10


def files(folder, name, megabytes, block, seed):
    target = megabytes * 1_000_000 // FILES
    for i in range(FILES):
        rng = np.random.default_rng(seed + i)
        size = 0
        with open(os.path.join(folder, name.format(i)), "w", newline="") as out:
            while size < target:
                text = block(rng)
                out.write(text)
                size += len(text)


def words(folder, megabytes):
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))
    rng = np.random.default_rng(7)
    known = {}
    while len(known) < 50_000:
        known["".join(rng.choice(letters, size=int(rng.integers(1, 4) + len(known) ** 0.15)))] = None
    known = np.array(list(known), dtype=object)
    share = np.cumsum(1.0 / np.arange(1, len(known) + 1))
    share /= share[-1]

    def block(rng):
        n = 40_000
        some = known[np.minimum(np.searchsorted(share, rng.random(n)), len(known) - 1)].tolist()
        marks = rng.random(n)
        for i in np.nonzero(marks < 0.15)[0].tolist():
            u = marks[i]
            some[i] = some[i].capitalize() if u < 0.07 else some[i] + ("," if u < 0.11 else ".")
        return "\n".join(" ".join(some[i : i + 12]) for i in range(0, n, 12)) + "\n"

    files(folder, "words-{:02d}.txt", megabytes, block, 100)


def flows(folder, megabytes):
    rng = np.random.default_rng(11)
    address = lambda n: [".".join(map(str, row)) for row in rng.integers(1, 255, size=(n, 4)).tolist()]
    clients, servers = address(2_000), address(20_000)
    endings = ["html", "gif", "jpg", "cgi", "txt", "au"]

    def block(rng):
        n = 20_000
        few = lambda limit: np.minimum(rng.zipf(1.3, n) - 1, limit - 1).tolist()
        client, server = few(len(clients)), few(len(servers))
        second = np.sort(rng.integers(846_890_339, 846_900_339, n)).tolist()
        us, lag = rng.integers(0, 1_000_000, (n, 3)).tolist(), rng.integers(0, 3, (n, 2)).tolist()
        port, head = rng.integers(1024, 5000, n).tolist(), rng.integers(0, 16, (n, 2)).tolist()
        when = np.where(rng.random((n, 3)) < 0.6, 4294967295, rng.integers(820_000_000, 846_890_000, (n, 3))).tolist()
        length, url = rng.integers(40, 400, n).tolist(), rng.integers(20, 80, n).tolist()
        data = np.minimum(rng.zipf(1.4, n) * 64, 10**8).tolist()
        domain, ending = rng.integers(10**18, 9 * 10**18, n).tolist(), rng.integers(0, len(endings), n).tolist()
        verb = np.where(rng.random(n) < 0.95, "GET", "POST").tolist()
        return "".join(
            f"{second[i]}:{us[i][0]} {second[i] + lag[i][0]}:{us[i][1]} {second[i] + sum(lag[i])}:{us[i][2]}"
            f" {clients[client[i]]}:{port[i]} {servers[server[i]]}:80 {head[i][0]} {head[i][1]} {when[i][0]} {when[i][1]} {when[i][2]}"
            f" {length[i]} {data[i]} {url[i]} {verb[i]} {domain[i]}..{endings[ending[i]]} HTTP/1.0\n"
            for i in range(n)
        )

    files(folder, "flows-{:02d}.log", megabytes, block, 200)


def events(folder, megabytes):
    kinds = ["Push", "Create", "Watch", "IssueComment", "PullRequest", "Issues", "Fork", "Delete"]
    share = np.cumsum([0.51, 0.12, 0.12, 0.1, 0.06, 0.05, 0.03, 0.01])
    text = "fix update add remove test docs build merge branch readme typo release refactor tests api error support bug".split()
    site = "https://api.example.com"

    def event(kind, actor, repo, number, second, commits, picks, sha):
        words = " ".join(text[w] for w in picks)
        name = f"org{repo % 997}/repo{repo}"
        payload = {"action": "started", "number": number % 5000, "title": words, "body": words + "\n\"" + words + "\""}
        if kind == "Push":
            one = lambda c: {
                "sha": f"{sha[0] + c:x}{sha[1]:x}",
                "author": {"name": f"user{actor}", "email": f"{sha[1]:x}@example.com"},
                "message": f"{words} {c}",
                "distinct": True,
                "url": f"{site}/repos/{name}/commits/{sha[0] + c:x}",
            }
            payload = {
                "push_id": number + 7,
                "size": commits,
                "distinct_size": commits,
                "ref": "refs/heads/master",
                "head": f"{sha[0]:x}{sha[1]:x}",
                "commits": [one(c) for c in range(commits)],
            }
        who = {"id": actor, "login": f"user{actor}", "gravatar_id": "", "url": f"{site}/users/user{actor}"}
        what = {
            "id": str(number),
            "type": kind + "Event",
            "actor": who | {"avatar_url": f"https://avatars.example.com/u/{actor}?"},
            "repo": {"id": repo, "name": name, "url": f"{site}/repos/{name}"},
            "payload": payload,
            "public": True,
            "created_at": f"2015-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",
        }
        return json.dumps(what, separators=(",", ":"))

    def block(rng):
        n = 4_000
        kind = np.minimum(np.searchsorted(share, rng.random(n)), len(kinds) - 1).tolist()
        actor, repo = np.minimum(rng.zipf(1.2, n), 200_000).tolist(), np.minimum(rng.zipf(1.2, n), 400_000).tolist()
        number, second = rng.integers(2 * 10**9, 3 * 10**9, n).tolist(), rng.integers(0, 86_400, n).tolist()
        commits = np.where(rng.random(n) < 0.8, 1, rng.integers(2, 8, n)).tolist()
        picks, sha = rng.integers(0, len(text), (n, 8)).tolist(), rng.integers(10**17, 9 * 10**17, (n, 2)).tolist()
        rows = zip(kind, actor, repo, number, second, commits, picks, sha)
        return "\n".join(event(kinds[k], *row) for k, *row in rows) + "\n"

    files(folder, "events-{:02d}.json", megabytes, block, 300)
