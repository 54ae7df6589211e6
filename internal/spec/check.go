package spec

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
)

// check finds contradictions between fields. What a field alone accepts was checked when it was decoded.
func (d *decoder) check(s *Spec) {
	d.checkSource(s.Data.Source, "data.source")
	d.checkColumns(s)
	d.checkTask(s)
	d.checkSplit(s.Data.Split, "data.split")
	for i, e := range s.Data.Expect {
		d.checkExpectation(e, index("data.expect", i))
	}
	d.checkTraining(s)
	d.checkFairness(s)
	d.checkMitigation(s)
	d.checkExplain(s)
	d.checkPrivacy(s)
	d.checkGates(s)
	d.checkConditions(s)
	d.checkReview(s.Review)
	d.checkRollout(s.Rollout)
	d.checkRetrain(s.Retrain)
}

func (d *decoder) checkSource(s Source, path string) {
	uri := join(path, "uri")
	scheme, _, hasScheme := strings.Cut(s.URI, "://")
	if hasScheme {
		d.checkAddress(strings.ToLower(scheme), s.URI, uri)
	}
	synthetic := hasScheme && strings.ToLower(scheme) == "synthetic"
	if synthetic && s.Format != "" {
		d.complain(join(path, "format"), "found a format with a synthetic source", "leave it out: the rows are generated")
	}
	csv := join(path, "csv")
	switch {
	case !d.given(csv):
		return
	case synthetic:
		d.complain(csv, "found csv settings with a synthetic source", "leave them out: the rows are generated")
	case s.Format != "" && s.Format != "csv":
		d.complain(csv, "found csv settings with format: "+s.Format, "leave them out, or write format: csv")
	}
	d.checkCSV(s.CSV, csv)
}

const addressExpected = "expected a path, file:///..., https://... or synthetic://credit?rows=N&seed=S"

func (d *decoder) checkAddress(scheme, uri, path string) {
	found := "found another kind of address"
	if n, ok := d.nodes[path]; ok {
		found = n.describe()
	}
	u, err := url.Parse(uri)
	switch {
	case !slices.Contains([]string{"file", "http", "https", "synthetic"}, scheme):
		d.complain(path, found, addressExpected)
	case err != nil:
		d.complain(path, found+", which is not a well-formed address", addressExpected)
	case u.User != nil:
		d.complain(path, "found a user or password in the address", "leave them out: a spec is stored in Temporal's history and in the model's record; fetch the file first and give its path")
	case scheme == "file" && (u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/")):
		d.complain(path, found, "expected file:/// followed by an absolute path; a relative path is written without file://")
	case (scheme == "http" || scheme == "https") && u.Host == "":
		d.complain(path, found+", which names no host", addressExpected)
	case scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		d.complain(path, found+", which anyone on the way could change", "expected https://")
	}
}

func (d *decoder) checkCSV(c CSV, path string) {
	header := c.Header == nil || *c.Header
	switch {
	case header && len(c.Columns) > 0:
		d.complain(join(path, "columns"), "found names of columns although the file has a header line", "write header: false, or leave columns out")
	case !header && len(c.Columns) == 0:
		d.complain(join(path, "header"), "found header: false without names of the columns", "write columns: [first, second, ...]")
	}
	for _, pair := range [][3]string{{"quote", c.Quote, c.Separator}, {"comment", c.Comment, c.Separator}, {"comment", c.Comment, c.Quote}} {
		if pair[1] != "" && pair[1] == pair[2] {
			d.complain(join(path, pair[0]), fmt.Sprintf("found %q with two meanings", pair[1]), "separator, quote and comment must differ")
		}
	}
}

func (d *decoder) checkColumns(s *Spec) {
	target := s.Data.Target.Column
	if target == "" {
		return
	}
	lists := []struct {
		path    string
		columns []string
		why     string
	}{
		{"data.protected", s.Data.Protected, "the target cannot be a protected group"},
		{"data.exclude", s.Data.Exclude, "the target is never given to the model anyway"},
		{"data.split.key", s.Data.Split.Key, "rows would be divided by what is to be predicted"},
		{"evaluate.slices", s.Evaluate.Slices, "a slice of one outcome has no metrics"},
		{"privacy.quasi_identifiers", s.Privacy.QuasiIdentifiers, "the target is what an attacker does not know"},
		{"privacy.sensitive", s.Privacy.Sensitive, "the target is sensitive anyway"},
	}
	for _, l := range lists {
		if i := slices.Index(l.columns, target); i >= 0 {
			d.complain(index(l.path, i), fmt.Sprintf("found %q, which is the target column", target), "take it out: "+l.why)
		}
	}
	if s.Data.Weight == target {
		d.complain("data.weight", fmt.Sprintf("found %q, which is the target column", target), "name another column, or leave weight out")
	}
	if i := slices.Index(s.Data.Protected, s.Data.Weight); i >= 0 {
		d.complain(index("data.protected", i), fmt.Sprintf("found %q, which is the weight column", s.Data.Weight), "a column is one or the other")
	}
}

func (d *decoder) checkSplit(s Split, path string) {
	shares := s.Train + s.Validation + s.Test
	testPath := join(path, "test")
	switch {
	case s.TestSource != nil && s.Test > 0:
		d.complain(testPath, fmt.Sprintf("found a test share of %.15g beside a test_source", s.Test), "leave test out: all test rows come from the test_source")
	case s.TestSource == nil && s.Test == 0:
		d.complain(testPath, "found no test rows", "give a test share above 0, such as 0.2, or a test_source")
	case math.Abs(shares-1) > 1e-9:
		d.complain(path, fmt.Sprintf("found shares that sum to %.15g", shares), "train, validation and test must sum to 1")
	}
	if s.TestSource != nil {
		d.checkSource(*s.TestSource, join(path, "test_source"))
	}
	byTime := s.By == "time"
	switch {
	case byTime && s.Column == "":
		d.complain(join(path, "column"), "found by: time without a column", "name the column to order by, as in column: applied_at")
	case !byTime && s.Column != "":
		d.complain(join(path, "column"), "found a column to order by with by: hash", "write by: time, or leave column out")
	}
	if byTime && len(s.Key) > 0 {
		d.complain(join(path, "key"), "found a key with by: time", "leave it out, or write by: hash")
	}
	if byTime && d.given(join(path, "seed")) {
		d.complain(join(path, "seed"), "found a seed with by: time", "leave it out: a division by time has no chance in it")
	}
}

func (d *decoder) checkExpectation(e Expectation, path string) {
	subjects := 0
	for _, given := range []bool{e.Column != "", e.Rows != nil, e.SQL != ""} {
		if given {
			subjects++
		}
	}
	if subjects != 1 {
		d.complain(path, fmt.Sprintf("found %d of column, rows and sql", subjects), "expected exactly one of them in each check")
		return
	}
	if e.Column == "" {
		for _, key := range []string{"type", "min", "max", "nulls", "in", "unique"} {
			if d.given(join(path, key)) {
				d.complain(join(path, key), fmt.Sprintf("found %s without a column", key), "name the column it is about, in a check of its own")
			}
		}
	}
	if e.Min != nil && e.Max != nil && *e.Min > *e.Max {
		d.complain(join(path, "min"), fmt.Sprintf("found min %.15g above max %.15g", *e.Min, *e.Max), "no value can meet both")
	}
	if ordered := e.Type == "" || e.Type == "integer" || e.Type == "number"; !ordered && (e.Min != nil || e.Max != nil) {
		d.complain(path, "found min or max for a column of type "+e.Type, "min and max are for type integer or number")
	}
	d.checkRange(e.Rows, join(path, "rows"))
}

func (d *decoder) checkRange(r *Range, path string) {
	switch {
	case r == nil:
	case r.Min == nil && r.Max == nil:
		d.complain(path, "found neither min nor max", "expected at least one of them, as in rows: {min: 1000}")
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		d.complain(path, fmt.Sprintf("found min %d above max %d", *r.Min, *r.Max), "no number of rows can meet both")
	}
}

// mostReminders keeps a lifecycle's history, which grows by eight events with each, well below 2,000 events.
const mostReminders = 100

func (d *decoder) checkReview(r Review) {
	seats := map[string]int{}
	for i, s := range r.Quorum {
		role := strings.ToLower(s.Role)
		if first, twice := seats[role]; twice && role != "" {
			d.complain(index("review.quorum", i)+".role", fmt.Sprintf("found the role %q a second time (first in element %d)", s.Role, first), "expected one seat a role, with the number of approvals")
			continue
		}
		seats[role] = i
	}
	if r.Deadline.IsZero() {
		return
	}
	if r.RemindEvery >= r.Deadline {
		d.complain("review.remind_every", "found reminders every "+r.RemindEvery.String()+" with a deadline of "+r.Deadline.String(), "expected less than the deadline: no reminder would be sent")
	}
	if r.RemindEvery > 0 && r.Deadline/r.RemindEvery > mostReminders {
		d.complain("review.remind_every", "found reminders every "+r.RemindEvery.String()+" with a deadline of "+r.Deadline.String(), fmt.Sprintf("expected at most %d reminders: each is kept in the lifecycle's history", mostReminders))
	}
	if r.Escalate != nil && r.Escalate.After >= r.Deadline {
		d.complain("review.escalate.after", "found an escalation after "+r.Escalate.After.String()+" with a deadline of "+r.Deadline.String(), "expected less than the deadline: nobody would be told in time")
	}
}

func (d *decoder) checkRollout(r Rollout) {
	before := 0.0
	for i, step := range r.Canary {
		if step.Traffic > 0 && step.Traffic <= before {
			d.complain(index("rollout.canary", i)+".traffic", fmt.Sprintf("found %.15g percent after %.15g", step.Traffic, before), "expected more traffic in every step than in the one before")
		}
		before = max(before, step.Traffic)
	}
	if len(r.Abort) > 0 && len(r.Canary) == 0 {
		d.complain("rollout.abort", "found conditions to abort without canary steps", "they are looked at during the canary: add rollout.canary, or leave abort out")
	}
}

func (d *decoder) checkRetrain(r Retrain) {
	if len(r.When.Any) > 0 {
		return
	}
	for _, key := range []string{"cooldown", "max_per_week"} {
		if path := join("retrain", key); d.given(path) {
			d.complain(path, "found "+key+" although nothing starts a retraining", "add when: {any: [drift]}, or leave retrain out")
		}
	}
}
