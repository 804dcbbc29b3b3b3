"""Every verb that changes something, with python-gitlab. Arguments: URL, write token, read token."""

import sys

import gitlab

url, write_token, read_token = sys.argv[1:]


def refused(status, message, call):
    try:
        call()
    except gitlab.GitlabError as error:
        found = (error.response_code, message in str(error.error_message))
        assert found == (status, True), (status, message, error)
    else:
        raise AssertionError(f"{call} was not refused with {status}")


client = gitlab.Gitlab(url, private_token=write_token, retry_transient_errors=False)
client.auth()
project = client.projects.get("acme/shop")
broken = project.pipelines.list(ref="main", get_all=True)[0]
jobs = {job.name: job for job in broken.jobs.list(get_all=True)}

# A job: retry, and the refusal of a second one.
job = project.jobs.get(jobs["test"].id)
again = job.retry()
assert again["id"] > job.id and again["user"]["id"] == client.user.id, again
assert again["name"] == "test" and again["commit"]["id"] == broken.sha, again
refused(403, "Job is not retryable", job.retry)
attempts = broken.jobs.list(include_retried=True, get_all=True)
assert sorted(j.id for j in attempts if j.name == "test") == [job.id, again["id"]]

# A waiting job: play, cancel, and what cannot be played.
gate = project.jobs.get(jobs["gate"].id)
gate.play()
assert project.jobs.get(gate.id).status == "pending"
assert gate.cancel()["status"] == "canceled"
refused(400, "Unplayable Job", project.jobs.get(jobs["lint"].id).play)

# A pipeline: cancel, and retry.
broken.cancel()
assert project.jobs.get(again["id"]).status == "canceled"
broken.retry()
assert project.pipelines.get(broken.id).status in ("pending", "running")

# A new pipeline.
variables = [{"key": "REASON", "value": "restart"}]
created = project.pipelines.create({"ref": "main", "variables": variables})
assert (created.source, created.ref, created.sha) == ("api", "main", broken.sha)
assert created.user["id"] == client.user.id
refused(400, "Reference not found", lambda: project.pipelines.create({"ref": "gone"}))

# A schedule.
schedule = project.pipelineschedules.list(get_all=True)[0]
schedule.play()

# A trigger job is retried like a job.
bridge = broken.bridges.list(get_all=True)[0]
project.jobs.get(bridge.id, lazy=True).retry()

# Without the scope.
reader = gitlab.Gitlab(url, private_token=read_token)
listed = reader.projects.get("acme/shop").jobs.get(again["id"])
refused(403, "insufficient_scope", listed.retry)
