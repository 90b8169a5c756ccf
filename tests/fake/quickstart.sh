# ./quickstart --databricks, read by it: the example goes to a workspace of Databricks. The workspace is the one
# of this folder, which answers as the documentation says and computes nothing.

workspace=$work/databricks/workspace
token=dapi-quickstart

start_workspace() {
	if [ -f "$workspace/pid" ] && kill -0 "$(cat "$workspace/pid")" 2>/dev/null; then
		say "the workspace runs already"
	else
		say "starting a workspace that plays the part of Databricks"
		mkdir -p "$workspace"
		setsid "$here/tests/fake/penstock-fake-databricks" --dir "$workspace" --port "$(cat "$workspace/port" 2>/dev/null || echo 0)" \
			--token "$token=penstock@example.net" >"$workspace/says" 2>&1 </dev/null &
		echo $! >"$workspace/pid"
		until grep -qs '^listening on ' "$workspace/says"; do
			kill -0 "$(cat "$workspace/pid")" || die "it does not start: $(cat "$workspace/says")"
			sleep 0.1
		done
	fi
	host=$(sed -n 's/^listening on //p' "$workspace/says")
	echo "${host##*:}" >"$workspace/port"
	echo "$host"
}

# An instance whose fabric development is that workspace. The token is in a file of its own, as on any host.
make_instance() {
	[ ! -f "$instance/penstock.yml" ] || return 0
	prefix=$(ls -d "$work"/instance/toolchains/*/ 2>/dev/null | head -n 1)
	# shellcheck disable=SC2086
	penstock init "$instance" ${prefix:+--toolchain "${prefix%/}"}
	(umask 077 && echo "$token" >"$instance/workspace.token")
	python3 - "$instance/penstock.yml" "$host" "$instance/workspace.token" <<-'EOF'
		import re, sys
		path, host, token = sys.argv[1:]
		text = open(path).read()
		block = f"    provider: databricks\n    databricks: {{ host: '{host}', token: {{ file: '{token}' }} }}\n"
		text, n = re.subn(r"(  development:\n    id: 1174\n    owner: developers\n)    provider: local.*\n", r"\1" + block, text)
		assert n == 1, "penstock.yml is not as init writes it"
		open(path, "w").write(text)
	EOF
	penstock config check
}

# What the workspace has, asked as anybody would ask.
show_workspace() {
	python3 - "$host" "$token" <<-'EOF'
		import json, sys, urllib.request
		host, token = sys.argv[1:]
		def ask(path):
		    r = urllib.request.Request(host + path, headers={"Authorization": "Bearer " + token})
		    return json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(r))
		jobs = ask("/api/2.2/jobs/list?expand_tasks=true").get("jobs", [])
		wheels = set()
		for job in jobs:
		    print("job", job["job_id"], job["settings"]["name"])
		    for task in job["settings"]["tasks"]:
		        wheels |= {l["whl"] for l in task.get("libraries", []) if "whl" in l}
		for wheel in sorted(wheels):
		    size = ask("/api/2.0/dbfs/get-status?path=" + wheel.removeprefix("dbfs:"))["file_size"]
		    print(f"    {size:7} bytes {wheel}")
		assert [j["settings"]["name"] for j in jobs] == ["job_development"], "not the one job that was deployed"
	EOF
}

with_databricks() {
	instance=$work/databricks/instance
	clone=$work/databricks/sales
	mkdir -p "$work/databricks"
	start_workspace
	make_instance
	start_agent
	if [ "$once" = yes ]; then
		trap 'penstock stop >/dev/null 2>&1 || true; kill "$(cat "$workspace/pid")" 2>/dev/null || true' EXIT
	fi
	make_repository
	say "ana pushes the example project"
	push_example "1.0.0"
	wait_for_deployment
	say "what the workspace has"
	show_workspace
	say "running job_development there (it computes nothing: each task passes at the second look)"
	penstock run job_development --fabric development
	say "ana changes the job and pushes again: it is the same job, written anew"
	push_example "1.0.1" 1
	wait_for_deployment
	show_workspace
	p="$work/build/penstock -C $instance"
	say "done. A push became wheels and a job of a workspace."
	cat <<-EOF
	look     $p history development
	         $p plan development --refresh
	         cat $workspace/calls.jsonl
	stop     $p stop; kill \$(cat $workspace/pid)
	forget   stop both, then rm -r $work/databricks
	EOF
}
