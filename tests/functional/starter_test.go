package functional

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assay-ml/assay/starter/cli"
	"github.com/stretchr/testify/require"
)

// said is what a command of the starter wrote and how it ended.
type said struct {
	status   int
	out, err string
}

// starter runs a command of the starter.
func starter(t *testing.T, args ...string) said {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), args, &out, &errs)
	return said{code, out.String(), errs.String()}
}

// specFile writes a spec where a user would have it. JSON is YAML.
func specFile(t *testing.T, spec document) string {
	t.Helper()
	text, err := json.MarshalIndent(spec, "", "  ")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "spec.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// answers runs a command with -o json, expects the status, and reads what it wrote.
func answers(t *testing.T, status int, into any, args ...string) {
	t.Helper()
	s := starter(t, append(args, "-o", "json")...)
	require.Equal(t, status, s.status, "%v: %s%s", args, s.out, s.err)
	require.NoError(t, json.Unmarshal([]byte(s.out), into), s.out)
}

// requireSays runs a command that goes wrong, and checks its exit status and what it says on standard error.
func requireSays(t *testing.T, status int, texts []string, args ...string) {
	t.Helper()
	s := starter(t, args...)
	require.Equal(t, status, s.status, "%v: %s%s", args, s.out, s.err)
	require.True(t, strings.HasPrefix(s.err, "starter: "), "%v wrote %q", args, s.err)
	for _, text := range texts {
		require.Contains(t, s.err, text, "%v", args)
	}
}

func TestStarterTakesAModelThroughItsLife(t *testing.T) {
	t.Parallel()
	const model, id = "by-starter", "lifecycle/by-starter/r1"
	spec := specFile(t, credit(model, oneReviewer))
	require.Contains(t, starter(t, "validate", spec).out, "is a valid spec for model "+model)

	var started struct{ Lifecycle, Run string }
	answers(t, 0, &started, "run", spec, "--id", "r1", "--requester", "rita", "--reason", "a test")
	require.Equal(t, id, started.Lifecycle)
	require.NotEmpty(t, started.Run)
	requireSays(t, 2, []string{id, "there is a lifecycle with this id already", "--id"}, "run", spec, "--id", "r1")

	l := lifecycle{t, id, local.Client.GetWorkflow(t.Context(), id, "")}
	dossier := l.underReview()
	page := filepath.Join(t.TempDir(), "dossier.html")
	require.Zero(t, starter(t, "dossier", model+"/r1", "-f", page).status)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), dossier)
	var dossierJSON struct{ Model string }
	answers(t, 0, &dossierJSON, "dossier", id)
	require.Equal(t, model, dossierJSON.Model)

	// What the status tells people to type is typed.
	lines := regexp.MustCompile(`starter (approve .*)`).FindStringSubmatch(starter(t, "status", id).out)
	require.NotNil(t, lines, "the status shows the next step")
	next := strings.NewReplacer("NAME", "ron", `"..."`, "because").Replace(lines[1])
	approved := starter(t, strings.Fields(next)...)
	require.Zero(t, approved.status, approved.err)
	require.Contains(t, approved.out, "the review ended as approved")

	watched := starter(t, "watch", id)
	require.Zero(t, watched.status, watched.err)
	for _, stage := range stages {
		require.Contains(t, watched.out, "  "+stage)
	}
	require.Contains(t, watched.out, "deployed: ")
	var s status
	answers(t, 0, &s, "status", model+"/r1")
	require.Equal(t, "deployed", s.Result.Outcome)
	require.Equal(t, trigger{Kind: "manual", Reason: "a test"}, s.Trigger)

	var listed []struct{ Lifecycle, Outcome, Requester string }
	waitUntil(t, "the lifecycle is listed with its outcome", func() bool {
		answers(t, 0, &listed, "list", "--model", model)
		return len(listed) == 1 && listed[0].Outcome == "deployed"
	})
	require.Equal(t, "rita", listed[0].Requester)
	requireSays(t, 2, []string{id, "--id"}, "run", spec, "--id", "r1")
	requireStarterShowsModel(t, model)
}

func requireStarterShowsModel(t *testing.T, model string) {
	t.Helper()
	var models []struct {
		Model              string
		Versions, Champion int
	}
	answers(t, 0, &models, "models")
	require.Contains(t, models, struct {
		Model              string
		Versions, Champion int
	}{model, 1, 1})
	var versions []struct{ Version int }
	answers(t, 0, &versions, "models", model)
	require.Len(t, versions, 1)
	require.Contains(t, starter(t, "models", model).out, "1 champion")

	var m monitorStatus
	answers(t, 0, &m, "monitor", model)
	require.Equal(t, 1, m.Version)
	require.Zero(t, starter(t, "monitor", model, "pause").status)
	waitUntil(t, "the monitor is paused", func() bool { return strings.Contains(starter(t, "monitor", model).out, "paused") })
	require.Zero(t, starter(t, "monitor", model, "resume").status)
	require.Zero(t, starter(t, "monitor", model, "check").status)
	waitUntil(t, "a check is shown", func() bool { return strings.Contains(starter(t, "monitor", model).out, "insufficient") })

	var verified struct{ Records, Versions int }
	answers(t, 0, &verified, "verify", model)
	require.Equal(t, 1, verified.Versions)
	require.Greater(t, verified.Records, 3)
}

func TestStarterExitStatuses(t *testing.T) {
	t.Parallel()
	run := func(status int, spec document, texts ...string) {
		t.Helper()
		s := starter(t, "run", specFile(t, spec), "--requester", "rita", "--watch")
		require.Equal(t, status, s.status, s.out+s.err)
		for _, text := range texts {
			require.Contains(t, s.out, text)
		}
	}
	run(3, credit("exit-gated", with("gates.conditions", []any{"auc > 0.999"})), "gated: gate: fail")
	run(3, credit("exit-expired", with("review.deadline", "300ms")), "expired: ", "waiting for people until")
	run(1, credit("exit-failed", with("data.source.uri", "/no/such.csv")), "failed: ", "/no/such.csv")
	run(1, credit("exit-column", with("data.target.column", "granted")), "failed: ", "granted")

	var ended struct{ Lifecycle, Outcome, Reason string }
	answers(t, 3, &ended, "run", specFile(t, credit("exit-json", with("review.deadline", "100ms"))), "--watch", "--id", "j")
	require.Equal(t, "lifecycle/exit-json/j", ended.Lifecycle)
	require.Equal(t, "expired", ended.Outcome)

	l := start(t, credit("exit-rejected", oneReviewer))
	l.underReview()
	require.Zero(t, starter(t, "reject", l.id, "--as", "ron", "--role", "risk", "--reason", "no").status)
	require.Equal(t, 3, starter(t, "watch", l.id).status)
	requireSays(t, 1, []string{l.id, "it has ended: rejected: ron (risk) rejected it"}, "approve", l.id, "--as", "ron", "--role", "risk", "--reason", "too late")

	l = start(t, credit("exit-cancelled", oneReviewer))
	dossier := l.underReview()
	requireSays(t, 1, []string{"was not accepted", `"finance"`, "risk"}, "approve", l.id, "--as", "fay", "--role", "finance", "--reason", "yes")
	requireSays(t, 1, []string{"was not accepted", "own request"}, "approve", l.id, "--as", "rita", "--role", "risk", "--reason", "mine")
	requireSays(t, 1, []string{"was not accepted", dossier}, "approve", l.id, "--as", "ron", "--role", "risk", "--reason", "x",
		"--dossier", "sha256:"+strings.Repeat("ab", 32))
	require.Zero(t, starter(t, "cancel", l.id).status)
	s := starter(t, "watch", l.id)
	require.Equal(t, 1, s.status)
	require.Contains(t, s.out, "cancelled: cancelled during review")
}

func TestStarterWrongUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no such command":     {[]string{"aprove", "x"}, []string{"aprove"}},
		"no such flag":        {[]string{"list", "--modle", "x"}, []string{"--modle", "--help"}},
		"no spec":             {[]string{"run"}, []string{"a spec file", "--help"}},
		"spec not there":      {[]string{"run", "no-such.yaml"}, []string{"no-such.yaml"}},
		"unknown output":      {[]string{"list", "-o", "xml"}, []string{"xml", "text or json"}},
		"status of nothing":   {[]string{"status", "nobody/1"}, []string{"there is no lifecycle lifecycle/nobody/1", "starter list"}},
		"watch of nothing":    {[]string{"watch", "nobody/1"}, []string{"there is no lifecycle lifecycle/nobody/1"}},
		"cancel of nothing":   {[]string{"cancel", "nobody/1"}, []string{"there is no lifecycle lifecycle/nobody/1"}},
		"dossier of nothing":  {[]string{"dossier", "nobody/1"}, []string{"there is no lifecycle lifecycle/nobody/1"}},
		"approval of nothing": {[]string{"approve", "nobody/1", "--as", "a", "--role", "r", "--reason", "x"}, []string{"there is no lifecycle lifecycle/nobody/1"}},
		"update for nothing": {
			[]string{"approve", "nobody/1", "--as", "a", "--role", "r", "--reason", "x", "--dossier", "sha256:" + strings.Repeat("ab", 32)},
			[]string{"there is no lifecycle lifecycle/nobody/1"},
		},
		"signal for nothing": {
			[]string{"approve", "nobody/1", "--signal", "--as", "a", "--role", "r", "--reason", "x", "--dossier", "sha256:" + strings.Repeat("ab", 32)},
			[]string{"there is no lifecycle lifecycle/nobody/1"},
		},
		"approval of nobody":    {[]string{"approve", "x/1"}, []string{"--as NAME", "--role ROLE", "--reason TEXT"}},
		"digest that is none":   {[]string{"approve", "x/1", "--as", "a", "--role", "r", "--reason", "x", "--dossier", "abc"}, []string{"--dossier"}},
		"monitor of nothing":    {[]string{"monitor", "nobody"}, []string{"nothing watches nobody"}},
		"pause of nothing":      {[]string{"monitor", "nobody", "pause"}, []string{"nothing watches nobody"}},
		"monitor told what":     {[]string{"monitor", "nobody", "sleep"}, []string{"check, pause or resume"}},
		"monitor of what":       {[]string{"monitor"}, []string{"a model"}},
		"models of nothing":     {[]string{"models", "nobody"}, []string{"nobody"}},
		"models of two":         {[]string{"models", "a", "b"}, []string{"models"}},
		"no such store":         {[]string{"models", "--store", "/no/such/store"}, []string{"/no/such/store", "--store"}},
		"no request":            {[]string{"predict", "nobody"}, []string{"--input FILE"}},
		"request not there":     {[]string{"predict", "nobody", "--input", "/no/such.json"}, []string{"/no/such.json"}},
		"schedule of what":      {[]string{"schedule"}, []string{"create, list, pause"}},
		"schedule when":         {[]string{"schedule", "create", "x.yaml"}, []string{"--cron"}},
		"schedule of nothing":   {[]string{"schedule", "pause", "nobody"}, []string{"there is no schedule for nobody"}},
		"deletion of nothing":   {[]string{"schedule", "delete", "nobody"}, []string{"there is no schedule for nobody"}},
		"list of a strange one": {[]string{"list", "--model", "x' OR '1'='1"}, []string{"--model"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireSays(t, 2, c.says, c.args...)
		})
	}
}

func TestStarterVerifiesNothingThatIsNotThere(t *testing.T) {
	t.Parallel()
	requireSays(t, 1, []string{`"nobody"`, "not found in the store"}, "verify", "nobody")
	requireSays(t, 1, []string{"/no/such/key"}, "verify", "nobody", "--trust", "/no/such/key")
}

func TestStarterNamesTheLineOfAMistake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "credit.yaml")
	example, err := os.ReadFile("../../examples/credit.yaml")
	require.NoError(t, err)
	lines := strings.Split(string(example), "\n")
	at := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "gates:") {
			lines[i], at = "gaits:", i+1
		}
	}
	require.NotZero(t, at, "the example has gates")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	for _, command := range []string{"validate", "run"} {
		requireSays(t, 2, []string{fmt.Sprintf("%s:%d:1", path, at), `"gaits"`, "gates"}, command, path)
	}
	requireSays(t, 2, []string{"train.parameters.l3"}, "validate", "../../examples/credit.yaml", "--set", "train.parameters.l3=1")
	var s document
	answers(t, 0, &s, "validate", "../../examples/credit.yaml", "--set", "train.parameters.l2=0.25")
	require.Equal(t, 0.25, s["train"].(document)["parameters"].(document)["l2"])
	var schema document
	require.NoError(t, json.Unmarshal([]byte(starter(t, "schema").out), &schema))
	require.Contains(t, schema, "properties")
}

func TestStarterPredict(t *testing.T) {
	t.Parallel()
	const model = "asked"
	start(t, credit(model, oneReviewer)).deploys()
	predict(t, model, "", applications(1, 5, 0)) // from now on the gateway knows the model
	request := func(row document) string {
		body, err := json.Marshal(document{"id": "from-a-file", "instances": []any{row}})
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "request.json")
		require.NoError(t, os.WriteFile(path, body, 0o600))
		return path
	}
	row := func(name string, value any) document {
		r := applications(1, 5, 0)[0]
		r[name] = value
		return r
	}
	var p prediction
	answers(t, 0, &p, "predict", model, "--input", request(row("income", 30000)), "--key", "someone")
	require.Equal(t, "from-a-file", p.ID)
	require.Equal(t, "1", p.Version)

	missing := row("income", nil)
	delete(missing, "income")
	requireSays(t, 1, []string{model, `"income"`, "missing", "a number"}, "predict", model, "--input", request(missing))
	requireSays(t, 1, []string{model, `"income"`, "a number"}, "predict", model, "--input", request(row("income", "a lot")))
	requireSays(t, 1, []string{model, `"sex"`, "a string"}, "predict", model, "--input", request(row("sex", 1)))
	requireSays(t, 1, []string{`"nobody"`, model}, "predict", "nobody", "--input", request(row("income", 1)))
	requireSays(t, 1, []string{"127.0.0.1:1", "--gateway"}, "predict", model, "--input", request(row("income", 1)), "--gateway", "http://127.0.0.1:1")

	start(t, credit("never-approved", with("review.deadline", "100ms"))).ends()
	requireSays(t, 1, []string{`"never-approved"`}, "predict", "never-approved", "--input", request(row("income", 1)))
}

func TestStarterSchedules(t *testing.T) {
	t.Parallel()
	const model = "scheduled"
	spec := specFile(t, credit(model, oneReviewer))
	var created struct {
		Schedule, Cron string
		Created        bool
	}
	answers(t, 0, &created, "schedule", "create", spec, "--cron", "0 3 * * 1", "--requester", "rita")
	require.Equal(t, "schedule/"+model, created.Schedule)
	require.True(t, created.Created)
	answers(t, 0, &created, "schedule", "create", spec, "--cron", "0 4 * * 1")
	require.False(t, created.Created, "a second time replaces the first")
	requireSays(t, 2, []string{"--cron", "schedule/" + model}, "schedule", "create", spec, "--cron", "whenever")

	type row struct {
		Schedule string
		Paused   bool
		Next     string
	}
	find := func() (found row) {
		var rows []row
		answers(t, 0, &rows, "schedule", "list")
		for _, r := range rows {
			if r.Schedule == "schedule/"+model {
				found = r
			}
		}
		return found
	}
	waitUntil(t, "the schedule is listed", func() bool { return strings.Contains(find().Next, "T04:00:00Z") })
	require.Zero(t, starter(t, "schedule", "pause", model).status)
	waitUntil(t, "it is paused", func() bool { return find().Paused })
	require.Zero(t, starter(t, "schedule", "resume", model).status)
	waitUntil(t, "it goes on", func() bool { return !find().Paused })

	// One Monday in the past is made up for, as the lifecycle the schedule would have started.
	requireSays(t, 2, []string{"--to"}, "schedule", "backfill", model, "--from", "2026-01-05T00:00:00Z", "--to", "2026-01-04T00:00:00Z")
	filled := starter(t, "schedule", "backfill", model, "--from", "2026-01-05T00:00:00Z", "--to", "2026-01-06T00:00:00Z")
	require.Zero(t, filled.status, filled.err)
	var listed []struct{ Lifecycle string }
	waitUntil(t, "the lifecycle was started", func() bool {
		answers(t, 0, &listed, "list", "--model", model)
		return len(listed) == 1
	})
	require.True(t, strings.HasPrefix(listed[0].Lifecycle, "lifecycle/"+model+"/scheduled"), listed[0].Lifecycle)
	l := lifecycle{t, listed[0].Lifecycle, local.Client.GetWorkflow(t.Context(), listed[0].Lifecycle, "")}
	l.deploys()
	s := l.status()
	require.Equal(t, "schedule", s.Trigger.Kind)
	require.Equal(t, "schedule/"+model, s.Trigger.Source)

	require.Zero(t, starter(t, "schedule", "delete", model).status)
	waitUntil(t, "it is gone", func() bool { return find().Schedule == "" })
}
